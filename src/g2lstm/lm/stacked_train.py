"""Training of the stacked language model: SGD or Adam, a decaying rate, and a way to be sparse.

An object of :class:`StackedTraining` is what :func:`g2lstm.training.loop.run` drives.
"""

import math

from g2lstm.lm.stacked import build_model
from g2lstm.lm.stream import StreamTraining
from g2lstm.sparsify.pruning import make_regulariser
from g2lstm.training.adam import Adam
from g2lstm.training.sgd import SGD

OPTIMISERS = {"sgd": SGD, "adam": Adam}


def learning_rate(lr, decay, hold, every, epoch):
    """Return the rate of an epoch (from 1): ``lr``, times ``decay`` for each ``every`` epochs begun
    after the first ``hold``.
    """
    return lr * decay ** math.ceil(max(epoch - hold, 0) / every)


class StackedTraining(StreamTraining):
    """State and steps of one training run.

    The loss is the cross-entropy summed over the steps of a chunk, mean over the batch, as in the
    TensorFlow code that the papers build on: rate, clipping and λ are relative to it. (A subclass
    that says it is not ``summed`` takes the mean over the steps too.)

    Parameters
    ----------
    job : the complete training job, see :func:`g2lstm.config.complete_job`
    corpus : :class:`g2lstm.data.corpus.Corpus`
    folder : the run's checkpoint folder; the model to publish is kept there
    device : torch device
    """

    summed = True

    def __init__(self, job, corpus, folder, device):
        model = self._make_model(job, corpus.vocabulary_size).to(device).train()
        settings = job["optimisation"]
        optimiser = OPTIMISERS[settings["optimiser"]](model.parameters(), settings["clip"])
        super().__init__(job, model, optimiser, corpus, folder, device)
        self.regulariser = self._make_regulariser()
        self.chunks = (len(self.train_data) - 1) // settings["bptt"]  # the remainder is left out

    def step(self):
        """Train on the next chunk, or close the epoch after the last one."""
        if self.steps == self.chunks:
            self._end_epoch()
            return
        bptt = self.settings["bptt"]
        _, y, targets = self._read(bptt)
        nats = self.model.cross_entropy(y, targets)
        self.optimiser.zero_grad()
        (nats * bptt if self.summed else nats).backward()
        self.regulariser.add_gradient()
        self.optimiser.step(self._rate())
        self.regulariser.after_step()
        self._add_loss(nats * bptt, bptt)
        self._follow(self.steps, self.epoch, self.steps / self.chunks)

    def _make_model(self, job, vocabulary):
        return build_model(job, vocabulary)

    def _make_regulariser(self):
        return make_regulariser(self.job["method"], self.model)

    def _facts(self):
        """Return what else the history says of an epoch."""
        return {}

    def _rate(self):
        names = ("decay", "hold", "every")
        decay = {name: self.schedule[name] for name in names}
        return learning_rate(self.settings["lr"], **decay, epoch=self.epoch)

    def _end_epoch(self):
        self._check_finite()
        loss = self._validate()
        # Sparse models are taken as the last epoch leaves them: later ones are sparser.
        last = self.schedule["select"] == "last"
        better = self._keep_if_best(-self.epoch if last else loss)
        self.history.add(
            epoch=self.epoch,
            train_loss=self._mean_loss(),
            valid_perplexity=math.exp(min(loss, 700.0)),
            averaged=False,
            best=better,
            steps=self.steps,
            **self._facts(),
        )
        self.epoch += 1
        if self.epoch > self.schedule["epochs"]:
            self.finished, self.stopped = True, "schedule"
        self._start_epoch()
