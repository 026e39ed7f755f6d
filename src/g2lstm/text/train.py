"""Training of text classifiers with Adam, dense or by sparse variational dropout.

An object of :class:`TextTraining` is what :func:`g2lstm.training.loop.run` drives.
"""

import numpy as np

from g2lstm.errors import UserError
from g2lstm.sparsify.pruning import make_regulariser
from g2lstm.sparsify.training import VariationalTraining
from g2lstm.text.bayes import BayesianTextClassifier
from g2lstm.text.evaluate import measure
from g2lstm.text.model import build_model, cross_entropy, read_batch
from g2lstm.training.adam import Adam
from g2lstm.training.epochs import RegularisedTraining


class TextTraining(RegularisedTraining):
    """State and steps of one training run; one step is one minibatch.

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
        self.chunks = len(self.train_split) // self.settings["batch"]
        if self.chunks == 0:
            raise UserError(
                f"optimisation.batch = {self.settings['batch']} is too many for "
                f"{len(self.train_split)} training texts; lower it"
            )
        self._start_epoch()
        self.regulariser = self._make_regulariser()

    @property
    def chunk(self):
        """Steps and batch of a usual minibatch."""
        return self.train_split.longest, self.settings["batch"]

    @property
    def predicted(self):
        """Number of training texts."""
        return len(self.train_split)

    @property
    def progress(self):
        """Where the run stands, in words."""
        return f"epoch {self.epoch} of {self.schedule['epochs']}, minibatch {self.steps}"

    def _make_model(self, job, corpus):
        return build_model(job, corpus)

    def _make_regulariser(self):
        return make_regulariser(self.job["method"], self.model)

    def _start_epoch(self):
        self.steps = 0
        self._start_sums()

    def _chosen(self):
        """Return which texts the next minibatch has."""
        order = np.random.default_rng([self.job["seed"], self.epoch])
        batch = self.settings["batch"]
        start = self.steps * batch
        return order.permutation(len(self.train_split))[start : start + batch]

    def _forward(self):
        tokens, kept, labels = read_batch(self.train_split, self._chosen(), self.device)
        self.steps += 1
        return cross_entropy(self.model(tokens, kept), labels), len(labels)

    def _rate(self):
        return self.settings["lr"]

    def _valid_loss(self, model):
        self.measured = measure(model, self.corpus.splits["valid"], self.job["valid_batch"])
        return self.measured["nats"]

    def _facts(self):
        """Return the accuracy on the validation data, percent."""
        return {**super()._facts(), "valid_accuracy": self.measured["accuracy"]}


class BayesianTextTraining(VariationalTraining, TextTraining):
    """A :class:`VariationalTraining` of text classifiers; its parameters are theirs."""

    def _make_model(self, job, corpus):
        return build_model(job, corpus, BayesianTextClassifier, levels=job["method"]["levels"])
