"""Training of the character-level language model, dense or by sparse variational dropout.

An object of :class:`CharacterTraining` is what :func:`g2lstm.training.loop.run` drives.
"""

import torch

from g2lstm.lm import chunks
from g2lstm.lm.characters import BayesianCharacterModel, CharacterModel
from g2lstm.sparsify.pruning import make_regulariser
from g2lstm.sparsify.training import VariationalTraining
from g2lstm.training.adam import Adam
from g2lstm.training.epochs import RegularisedTraining


class CharacterTraining(RegularisedTraining):
    """State and steps of one training run; one step is one minibatch of chunks.

    Each epoch cuts the text at another offset and shuffles the chunks, by a generator of its own;
    the last minibatch may be smaller. Rate and clipping are relative to the mean cross-entropy.

    Parameters
    ----------
    job : the complete training job, see :func:`g2lstm.config.complete_job`
    corpus : :class:`g2lstm.data.corpus.Corpus` of symbols
    folder : the run's checkpoint folder; the model to publish is kept there
    device : torch device
    """

    def __init__(self, job, corpus, folder, device):
        model = self._make_model(job, corpus).to(device).train()
        optimiser = Adam(model.parameters(), job["optimisation"]["clip"])
        super().__init__(job, model, optimiser, folder, device)
        self.train_data, self.valid_data = (
            torch.as_tensor(corpus.splits[split], dtype=torch.long, device=device)
            for split in ("train", "valid")
        )
        self._start_epoch()
        self.regulariser = self._make_regulariser()

    @property
    def chunk(self):
        """Steps and batch of a usual minibatch."""
        return self.settings["length"] - 1, self.settings["batch"]

    @property
    def chunks(self):
        """Number of minibatches of an epoch."""
        return len(self.batches)

    @property
    def predicted(self):
        """Number of symbols of the training text that are predicted in an epoch."""
        return chunks.predicted(len(self.train_data), self.settings["length"])

    @property
    def progress(self):
        """Where the run stands, in words."""
        return f"epoch {self.epoch} of {self.schedule['epochs']}, step {self.steps}"

    def restore(self, tensors, meta):
        """Take up the state of a checkpoint."""
        super().restore(tensors, meta)
        self._cut()

    def _make_model(self, job, corpus):
        return CharacterModel(corpus.vocabulary_size, job["model"]["hidden"])

    def _make_regulariser(self):
        return make_regulariser(self.job["method"], self.model)

    def _start_epoch(self):
        self.steps = 0
        self._cut()
        self._start_sums()

    def _cut(self):
        """Cut the text for the epoch, and put the chunks' places into minibatches."""
        seed = [self.job["seed"], self.epoch]
        starts = chunks.epoch_starts(len(self.train_data), self.settings["length"], seed)
        self.batches = starts.to(self.device).split(self.settings["batch"])

    def _forward(self):
        starts = self.batches[self.steps]
        tokens = chunks.take(self.train_data, starts, self.settings["length"])
        self.steps += 1
        return chunks.cross_entropy(self.model(tokens[:-1]), tokens[1:]), len(starts)

    def _rate(self):
        return self.settings["lr"]

    def _valid_loss(self, model):
        return chunks.nats_per_symbol(model, self.valid_data, self.job["length"])


class BayesianCharacterTraining(VariationalTraining, CharacterTraining):
    """A :class:`VariationalTraining` of the character-level language model.

    Parameters are those of :class:`CharacterTraining`; the kernel that is recorded computes the
    recurrence of a model without group variables.
    """

    def _make_model(self, job, corpus):
        hidden, levels = job["model"]["hidden"], job["method"]["levels"]
        return BayesianCharacterModel(corpus.vocabulary_size, hidden, levels)
