"""Training of the language model: NT-ASGD and the finetune stage of AWD-LSTM, step by step.

An object of :class:`LMTraining` is what :func:`g2lstm.training.loop.run` drives. One step is one
chunk of truncated BPTT; the step after the last chunk of an epoch is the validation.
"""

import math
from pathlib import Path

import torch

from g2lstm.errors import UserError
from g2lstm.lm.evaluate import batchify, nats_per_token
from g2lstm.lm.model import build_model
from g2lstm.training.history import History
from g2lstm.training.loop import BEST
from g2lstm.training.optimiser import AveragingSGD
from g2lstm.training.tensors import part, save_tensors

SHORTEST_CHUNK = 5
STEPS_BETWEEN_CHECKS = 20  # of the loss for NaN: each check waits for the device


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


class LMTraining:
    """State and steps of one training run (stage "train" or "finetune").

    Parameters
    ----------
    job : the complete training job, see :func:`g2lstm.config.complete_job`
    corpus : :class:`g2lstm.data.corpus.Corpus`
    folder : the run's checkpoint folder; the best model so far is kept there
    device : torch device
    initial : name -> tensor of the model to finetune; None for a new model
    """

    def __init__(self, job, corpus, folder, device, initial=None):
        self.job, self.device = job, device
        self.settings, self.schedule = job["optimisation"], job["schedule"]
        self.finetune = job["stage"] == "finetune"
        self.model = build_model(job, corpus.vocabulary_size)
        if initial is not None:
            self.model.load_state_dict(initial)
        self.model.to(device).train()
        self.best_path = Path(folder) / BEST
        self.train_data = batchify(corpus.splits["train"], self.settings["batch"], device)
        self.valid_data = batchify(corpus.splits["valid"], job["valid_batch"], device)
        self.optimiser = AveragingSGD(
            self.model.parameters(), self.settings["weight_decay"], self.settings["clip"]
        )
        self.history = History(folder)
        self.epoch, self.losses, self.best, self.finished = 1, [], math.inf, False
        self.stopped = None
        self._start_epoch()

    def start(self):
        """Do what comes before the first step: the model to finetune is the first best model."""
        self.history.rewind([])
        if self.finetune:
            self.optimiser.start_averaging()
            self.best = self._validate()
            self._save_best()

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
        self.sums += torch.stack([nats.detach() * len(x), nats.new_tensor(len(x))])
        self.position, self.steps = stop, self.steps + 1
        if self.steps % STEPS_BETWEEN_CHECKS == 0:
            self._check_finite()
            self.history.show(self.epoch, self.position / len(self.train_data), self._mean_loss())

    @property
    def _longest(self):
        return self.settings["bptt"] + 10 if self.finetune else None

    def _regularisation(self, raw, dropped):
        """Activation regularisation (on the dropped output) and temporal AR (on the raw one)."""
        ar = self.settings["alpha"] * dropped.pow(2).mean()
        return ar + self.settings["beta"] * (raw[1:] - raw[:-1]).pow(2).mean()

    def _start_epoch(self):
        self.position, self.steps = 0, 0
        self.sums = torch.zeros(2, device=self.device, dtype=torch.float64)
        self.state_of_rows = self.model.initial_state(self.settings["batch"])

    def _mean_loss(self):
        return (self.sums[0] / self.sums[1]).item()

    def _check_finite(self, *values):
        """Raise UserError when the loss of the epoch or one of ``values`` is NaN or infinite."""
        if not all(torch.as_tensor(v).isfinite().all() for v in (self.sums, *values)):
            raise UserError(
                f"the loss or a weight is not a finite number in epoch {self.epoch}, row "
                f"{self.position}; the last good checkpoint is kept; lower optimisation.lr "
                f"(now {self.settings['lr']}) or optimisation.clip and run again"
            )

    def _end_epoch(self):
        self._check_finite()
        with self.optimiser.averaged():
            loss = self._validate()
            if loss < self.best:
                self.best = loss
                self._save_best()
        self.history.add(
            epoch=self.epoch,
            train_loss=self._mean_loss(),
            valid_perplexity=math.exp(min(loss, 700.0)),
            averaged=self.optimiser.averaging,
            best=loss == self.best,
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

    def _validate(self):
        self.model.eval()
        loss = nats_per_token(self.model, self.valid_data)
        self.model.train()
        self._check_finite(loss)
        return loss

    def _save_best(self):
        save_tensors(self.best_path, self.model.state_dict(), {"job": self.job})

    def state(self):
        """Return ``(tensors, meta)`` that :meth:`restore` needs to go on bit for bit."""
        averages, optimiser = self.optimiser.state()
        self._check_finite(*self.model.parameters(), *averages.values())
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"optimiser.{name}": value for name, value in averages.items()}
        for k, (h, c) in enumerate(self.state_of_rows):
            tensors |= {f"rows.{k}.h": h.clone(), f"rows.{k}.c": c.clone()}
        tensors["sums"] = self.sums
        meta = {
            "optimiser": optimiser,
            "history": self.history.epochs,
            **{name: getattr(self, name) for name in self._scalars},
        }
        # JSON has no infinity: before the first validation there is no best loss.
        meta["best"] = None if math.isinf(self.best) else self.best
        return tensors, meta

    _scalars = ("epoch", "position", "steps", "losses", "finished", "stopped")

    def restore(self, tensors, meta):
        """Take up the state of a checkpoint."""
        self.model.load_state_dict(part(tensors, "model.", self.device))
        self.optimiser.restore(part(tensors, "optimiser.", self.device), meta["optimiser"])
        rows = part(tensors, "rows.", self.device)
        self.state_of_rows = [
            (rows[f"{k}.h"], rows[f"{k}.c"]) for k in range(len(self.state_of_rows))
        ]
        self.sums = tensors["sums"].to(self.device)
        for name in self._scalars:
            setattr(self, name, meta[name])
        self.best = math.inf if meta["best"] is None else meta["best"]
        self.history.rewind(meta["history"])
