"""Training of the stacked language model: SGD or Adam, a decaying rate, and a way to be sparse.

An object of :class:`StackedTraining` is what :func:`g2lstm.training.loop.run` drives.
"""

import math

from g2lstm.lm.stacked import build_model
from g2lstm.lm.stream import StreamTraining
from g2lstm.sparsify.pruning import make_regulariser
from g2lstm.training.adam import Adam
from g2lstm.training.epochs import RegularisedTraining
from g2lstm.training.sgd import SGD

OPTIMISERS = {"sgd": SGD, "adam": Adam}


def learning_rate(lr, decay, hold, every, epoch):
    """Return the rate of an epoch (from 1): ``lr``, times ``decay`` for each ``every`` epochs begun
    after the first ``hold``.
    """
    return lr * decay ** math.ceil(max(epoch - hold, 0) / every)


class StackedTraining(RegularisedTraining, StreamTraining):
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
        model = self._make_model(job, corpus).to(device).train()
        settings = job["optimisation"]
        optimiser = OPTIMISERS[settings["optimiser"]](model.parameters(), settings["clip"])
        super().__init__(job, model, optimiser, corpus, folder, device)
        self.regulariser = self._make_regulariser()
        self.chunks = (len(self.train_data) - 1) // settings["bptt"]  # the remainder is left out

    @property
    def predicted(self):
        """Number of tokens of the training text that are predicted in an epoch."""
        return self.train_data[1:].numel()

    def _forward(self):
        bptt = self.settings["bptt"]
        _, y, targets = self._read(bptt)
        return self.model.cross_entropy(y, targets), bptt

    def _make_model(self, job, corpus):
        return build_model(job, corpus.vocabulary_size)

    def _make_regulariser(self):
        return make_regulariser(self.job["method"], self.model)

    def _rate(self):
        names = ("decay", "hold", "every")
        decay = {name: self.schedule[name] for name in names}
        return learning_rate(self.settings["lr"], **decay, epoch=self.epoch)
