"""Training of the language model: NT-ASGD and the finetune stage of AWD-LSTM, step by step.

An object of :class:`LMTraining` is what :func:`g2lstm.training.loop.run` drives.
"""

import math

import torch

from g2lstm.lm.model import build_model
from g2lstm.lm.stream import StreamTraining
from g2lstm.training.optimiser import AveragingSGD

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


class LMTraining(StreamTraining):
    """State and steps of one training run (stage "train" or "finetune").

    Parameters
    ----------
    job : the complete training job, see :func:`g2lstm.config.complete_job`
    corpus : :class:`g2lstm.data.corpus.Corpus`
    folder : the run's checkpoint folder; the best model so far is kept there
    device : torch device
    initial : name -> tensor of the model to finetune; None for a new model
    """

    scalars = (*StreamTraining.scalars, "losses")

    def __init__(self, job, corpus, folder, device, initial=None):
        model = build_model(job, corpus.vocabulary_size)
        if initial is not None:
            model.load_state_dict(initial)
        model.to(device).train()
        settings = job["optimisation"]
        optimiser = AveragingSGD(model.parameters(), settings["weight_decay"], settings["clip"])
        super().__init__(job, model, optimiser, corpus, folder, device)
        self.finetune = job["stage"] == "finetune"
        self.losses = []

    def start(self):
        """Do what comes before the first step: the model to finetune is the first best model."""
        super().start()
        if self.finetune:
            self.optimiser.start_averaging()
            self._keep_if_best(self._validate())

    def step(self):
        """Train on the next chunk, or close the epoch after the last one."""
        if self.position >= len(self.train_data) - 2:
            self._end_epoch()
            return
        length = chunk_length(self.settings["bptt"], self._longest)
        raw, dropped, targets = self._read(length)
        nats = self.model.cross_entropy(dropped, targets)
        self.optimiser.zero_grad()
        (nats + self._regularisation(raw, dropped)).backward()
        self.optimiser.step(self.settings["lr"] * length / self.settings["bptt"])
        self._add_loss(nats * len(targets), len(targets))
        self._follow(self.steps, self.epoch, self.position / len(self.train_data))

    @property
    def _longest(self):
        return self.settings["bptt"] + 10 if self.finetune else None

    def _regularisation(self, raw, dropped):
        """Activation regularisation (on the dropped output) and temporal AR (on the raw one)."""
        ar = self.settings["alpha"] * dropped.pow(2).mean()
        return ar + self.settings["beta"] * (raw[1:] - raw[:-1]).pow(2).mean()

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
