"""What the trainings of all language models have in common: one stream of text, read in chunks.

One step is one chunk of truncated BPTT; the step after the last chunk of an epoch is the
validation.
"""

from g2lstm.lm.evaluate import batchify, nats_per_token
from g2lstm.training.epochs import EpochTraining
from g2lstm.training.tensors import part

STATES = "hc"  # names of what a layer hands on, of which one with a single state has the first


class StreamTraining(EpochTraining):
    """A training run on a text in columns, whose state is carried from chunk to chunk.

    A subclass has ``step()`` and validates in ``_end_epoch()``.

    Parameters
    ----------
    job : the complete training job, see :func:`g2lstm.config.complete_job`
    model, optimiser : on ``device``
    corpus : :class:`g2lstm.data.corpus.Corpus`
    folder : the run's checkpoint folder; the best model so far is kept there
    device : torch device
    """

    def __init__(self, job, model, optimiser, corpus, folder, device):
        super().__init__(job, model, optimiser, folder, device)
        self.train_data = batchify(corpus.splits["train"], self.settings["batch"], device)
        self.valid_data = batchify(corpus.splits["valid"], job["valid_batch"], device)
        self._start_epoch()

    @property
    def chunk(self):
        """Steps and batch of a usual chunk."""
        return self.settings["bptt"], self.settings["batch"]

    @property
    def progress(self):
        """Where the run stands, in words."""
        return f"epoch {self.epoch} of {self.schedule['epochs']}, row {self.position}"

    def _start_epoch(self):
        self.position, self.steps = 0, 0
        self.state_of_rows = self.model.initial_state(self.settings["batch"])
        self._start_sums()

    def _read(self, length):
        """Run the model over the next ``length`` rows, or what is left.

        Returns its hidden states, before and after dropout, and the tokens to predict.
        """
        stop = min(self.position + length, len(self.train_data) - 1)
        x = self.train_data[self.position : stop]
        targets = self.train_data[self.position + 1 : stop + 1]
        raw, dropped, state = self.model(x, self.state_of_rows)
        self.state_of_rows = [tuple(value.detach() for value in each) for each in state]
        self.position, self.steps = stop, self.steps + 1
        return raw, dropped, targets

    def _valid_loss(self, model):
        return nats_per_token(model, self.valid_data)

    def state(self):
        """Return ``(tensors, meta)`` that :meth:`restore` needs to go on bit for bit."""
        tensors, meta = super().state()
        for k, values in enumerate(self.state_of_rows):
            for name, value in zip(STATES, values, strict=False):
                tensors[f"rows.{k}.{name}"] = value.clone()
        return tensors, meta

    def restore(self, tensors, meta):
        """Take up the state of a checkpoint."""
        super().restore(tensors, meta)
        rows = part(tensors, "rows.", self.device)
        self.state_of_rows = [
            tuple(rows[f"{k}.{name}"] for name in STATES[: len(values)])
            for k, values in enumerate(self.state_of_rows)
        ]
