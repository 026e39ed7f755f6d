"""Training of the language model: NT-ASGD and the finetune stage of AWD-LSTM, step by step.

An object of :class:`LMTraining` is what :func:`g2lstm.training.loop.run` drives. One step is one
chunk of truncated BPTT; the step after the last chunk of an epoch is the validation.
"""

import math

import torch

from g2lstm.lm.evaluate import batchify, nats_per_token
from g2lstm.lm.model import build_model
from g2lstm.precision import full
from g2lstm.training.optimiser import AveragingSGD
from g2lstm.training.run import TrainingRun
from g2lstm.training.tensors import part

SHORTEST_CHUNK = 5


def chunk_length(bptt, longest=None):
    """Draw the length of one chunk: Normal(bptt, 5), with probability 0.05 around bptt / 2."""
    base = bptt if torch.rand(()).item() < 0.95 else bptt / 2
    length = max(SHORTEST_CHUNK, int(base + 5 * torch.randn(()).item()))
    return length if longest is None else min(length, longest)


def stalled(losses, newest, patience):
    """Tell whether ``newest`` is above the best of all but the last ``patience`` of ``losses``.

    This is the trigger of NT-ASGD and the stop rule of the finetune stage.
    """
    return len(losses) > patience and newest > min(losses[:-patience] if patience else losses)


class LMTraining(TrainingRun):
    """State and steps of one training run (stage "train" or "finetune").

    Parameters
    ----------
    job : the complete training job, see :func:`g2lstm.config.complete_job`
    corpus : :class:`g2lstm.data.corpus.Corpus`
    folder : the run's checkpoint folder; the best model so far is kept there
    device : torch device
    initial : name -> tensor of the model to finetune; None for a new model
    """

    scalars = (*TrainingRun.scalars, "steps", "losses")

    def __init__(self, job, corpus, folder, device, initial=None):
        model = build_model(job, corpus.vocabulary_size)
        if initial is not None:
            model.load_state_dict(initial)
        model.to(device).train()
        settings = job["optimisation"]
        optimiser = AveragingSGD(model.parameters(), settings["weight_decay"], settings["clip"])
        super().__init__(job, model, optimiser, folder, device)
        self.finetune = job["stage"] == "finetune"
        self.train_data = batchify(corpus.splits["train"], settings["batch"], device)
        self.valid_data = batchify(corpus.splits["valid"], job["valid_batch"], device)
        self.losses = []
        self._start_epoch()

    def start(self):
        """Do what comes before the first step: the model to finetune is the first best model."""
        super().start()
        if self.finetune:
            self.optimiser.start_averaging()
            self._keep_if_best(self._validate())

    @property
    def chunk(self):
        """Steps and batch of a usual chunk."""
        return self.settings["bptt"], self.settings["batch"]

    @property
    def progress(self):
        """Where the run stands, in words."""
        return f"epoch {self.epoch} of {self.schedule['epochs']}, row {self.position}"

    def step(self):
        """Train on the next chunk, or close the epoch after the last one."""
        if self.position >= len(self.train_data) - 2:
            self._end_epoch()
            return
        length = chunk_length(self.settings["bptt"], self._longest)
        stop = min(self.position + length, len(self.train_data) - 1)
        x = self.train_data[self.position : stop]
        targets = self.train_data[self.position + 1 : stop + 1]
        raw, dropped, state = self.model(x, self.state_of_rows)
        self.state_of_rows = [(h.detach(), c.detach()) for h, c in state]
        nats = self.model.cross_entropy(dropped, targets)
        self.optimiser.zero_grad()
        (nats + self._regularisation(raw, dropped)).backward()
        self.optimiser.step(self.settings["lr"] * length / self.settings["bptt"])
        self._add_loss(nats * len(x), len(x))
        self.position, self.steps = stop, self.steps + 1
        self._follow(self.steps, self.epoch, self.position / len(self.train_data))

    @property
    def _longest(self):
        return self.settings["bptt"] + 10 if self.finetune else None

    def _regularisation(self, raw, dropped):
        """Activation regularisation (on the dropped output) and temporal AR (on the raw one)."""
        ar = self.settings["alpha"] * dropped.pow(2).mean()
        return ar + self.settings["beta"] * (raw[1:] - raw[:-1]).pow(2).mean()

    def _start_epoch(self):
        self.position, self.steps = 0, 0
        self.state_of_rows = self.model.initial_state(self.settings["batch"])
        self._start_sums()

    def _end_epoch(self):
        self._check_finite()
        with self.optimiser.averaged():
            loss = self._validate()
            better = self._keep_if_best(loss)
        self.history.add(
            epoch=self.epoch,
            train_loss=self._mean_loss(),
            valid_perplexity=math.exp(min(loss, 700.0)),
            averaged=self.optimiser.averaging,
            best=better,
            steps=self.steps,
        )
        self._follow_rules(loss)
        self.epoch += 1
        if self.epoch > self.schedule["epochs"]:
            self.finished, self.stopped = True, self.stopped or "schedule"
        self._start_epoch()

    def _follow_rules(self, loss):
        """Switch to averaging (stage train) or stop (stage finetune) when the loss has stalled."""
        rule = stalled(self.losses, loss, self.schedule["nonmono"])
        if self.finetune:
            if rule:
                self.finished, self.stopped = True, "stop rule"
            self.losses.append(loss)
        elif not self.optimiser.averaging:
            latest = self.schedule["average_after"]
            if rule or (latest is not None and self.epoch >= latest):
                self.optimiser.start_averaging()
            self.losses.append(loss)

    @full()
    def _validate(self):
        self.model.eval()
        loss = nats_per_token(self.model, self.valid_data)
        self.model.train()
        self._check_finite(loss)
        return loss

    def state(self):
        """Return ``(tensors, meta)`` that :meth:`restore` needs to go on bit for bit."""
        tensors, meta = super().state()
        for k, (h, c) in enumerate(self.state_of_rows):
            tensors |= {f"rows.{k}.h": h.clone(), f"rows.{k}.c": c.clone()}
        return tensors, meta

    def restore(self, tensors, meta):
        """Take up the state of a checkpoint."""
        super().restore(tensors, meta)
        rows = part(tensors, "rows.", self.device)
        self.state_of_rows = [
            (rows[f"{k}.h"], rows[f"{k}.c"]) for k in range(len(self.state_of_rows))
        ]
