"""Training of text classifiers with Adam, dense or by sparse variational dropout.

An object of :class:`TextTraining` is what :func:`g2lstm.training.loop.run` drives. One step is one
minibatch; the step after the last one of an epoch is the validation.
"""

import math

import numpy as np

from g2lstm.errors import UserError
from g2lstm.precision import full
from g2lstm.sparsify.pruning import Dense
from g2lstm.sparsify.variational import VariationalRun
from g2lstm.text.bayes import BayesianTextClassifier
from g2lstm.text.evaluate import measure
from g2lstm.text.model import build_model, cross_entropy, read_batch
from g2lstm.training.adam import Adam
from g2lstm.training.run import TrainingRun


class TextTraining(TrainingRun):
    """State and steps of one training run, whose loss is the mean cross-entropy of a minibatch.

    Each epoch has an order of its own, which follows from seed and epoch; the texts left over at
    its end, fewer than a minibatch, wait for the next one.

    Parameters
    ----------
    job : the complete training job, see :func:`g2lstm.config.complete_job`
    corpus : :class:`g2lstm.data.texts.TextCorpus`
    folder : the run's checkpoint folder; the model to publish is kept there
    device : torch device
    """

    def __init__(self, job, corpus, folder, device):
        model = self._make_model(job, corpus).to(device).train()
        optimiser = Adam(model.parameters(), job["optimisation"]["clip"])
        super().__init__(job, model, optimiser, folder, device)
        self.corpus, self.train_split = corpus, corpus.splits["train"]
        self.batches = len(self.train_split) // self.settings["batch"]
        if self.batches == 0:
            raise UserError(
                f"optimisation.batch = {self.settings['batch']} is too many for "
                f"{len(self.train_split)} training texts; lower it"
            )
        self.regulariser = self._make_regulariser()

    @property
    def chunk(self):
        """Steps and batch of a usual minibatch."""
        return self.train_split.longest, self.settings["batch"]

    @property
    def progress(self):
        """Where the run stands, in words."""
        return f"epoch {self.epoch} of {self.schedule['epochs']}, minibatch {self.position}"

    def step(self):
        """Train on the next minibatch, or close the epoch after the last one."""
        if self.position == self.batches:
            self._end_epoch()
            return
        tokens, kept, labels = read_batch(self.train_split, self._chosen(), self.device)
        nats = cross_entropy(self.model(tokens, kept), labels)
        self.optimiser.zero_grad()
        nats.backward()
        self.regulariser.add_gradient()
        self.optimiser.step(self.settings["lr"])
        self.position += 1
        self._add_loss(nats * len(labels), len(labels))
        self._follow(self.position, self.epoch, self.position / self.batches)

    def _make_model(self, job, corpus):
        return build_model(job, corpus)

    def _make_regulariser(self):
        return Dense()

    def _tested(self):
        """Return the model that is validated, in test mode."""
        return self.model.eval()

    def _facts(self):
        """Return what else the history says of an epoch."""
        return {}

    def _chosen(self):
        """Return which texts the next minibatch has."""
        order = np.random.default_rng([self.job["seed"], self.epoch])
        batch = self.settings["batch"]
        start = self.position * batch
        return order.permutation(len(self.train_split))[start : start + batch]

    @full()
    def _validate(self):
        """Return the metrics of the validation data."""
        found = measure(self._tested(), self.corpus.splits["valid"], self.job["valid_batch"])
        self.model.train()
        self._check_finite(found["nats"])
        return found

    def _end_epoch(self):
        self._check_finite()
        found = self._validate()
        # Dense models overfit and are stopped early; Bayesian ones are sparser with each epoch.
        last = self.schedule["select"] == "last"
        better = self._keep_if_best(-self.epoch if last else found["nats"])
        self.history.add(
            epoch=self.epoch,
            train_loss=self._mean_loss(),
            valid_perplexity=math.exp(found["nats"]),
            valid_accuracy=found["accuracy"],
            averaged=False,
            best=better,
            steps=self.position,
            **self._facts(),
        )
        self.epoch += 1
        self.position = 0
        self._start_sums()
        if self.epoch > self.schedule["epochs"]:
            self.finished, self.stopped = True, "schedule"


class BayesianTextTraining(VariationalRun, TextTraining):
    """A training run whose loss is the mean cross-entropy plus Σ R over the training texts."""

    def __init__(self, job, corpus, folder, device):
        super().__init__(job, corpus, folder, device)
        self.plain = build_model(job, corpus).to(device).eval()

    @property
    def predictions(self):
        """Training texts."""
        return len(self.train_split)

    def _make_model(self, job, corpus):
        return build_model(job, corpus, BayesianTextClassifier, levels=job["method"]["levels"])
