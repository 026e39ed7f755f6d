"""What the training runs of all tasks have in common: state, checks, the best model."""

import math
import sys
from pathlib import Path

import torch

from g2lstm.cells import LSTMLayer, kernels
from g2lstm.errors import UserError
from g2lstm.training.folder import BEST
from g2lstm.training.history import History
from g2lstm.training.tensors import part, save_tensors

STEPS_BETWEEN_CHECKS = 20  # of the loss for NaN: each check waits for the device


class TrainingRun:
    """State of one training run, as :func:`g2lstm.training.loop.run` drives it.

    A subclass has ``step()``, ``progress`` (where the run stands, in words) and ``chunk`` (steps
    and batch that its layers usually get), calls :meth:`_start_sums` where a new mean of the loss
    begins, and saves what else it needs: numbers by their names in ``scalars``, tensors by
    extending :meth:`state` and :meth:`restore`.

    Parameters
    ----------
    job : the complete training job, see :func:`g2lstm.config.complete_job`
    model, optimiser : on ``device``
    folder : the run's checkpoint folder; the best model so far is kept there
    device : torch device
    """

    scalars = ("epoch", "position", "finished", "stopped")

    def __init__(self, job, model, optimiser, folder, device):
        self.job, self.device = job, device
        self.model, self.optimiser = model, optimiser
        self.settings, self.schedule = job["optimisation"], job["schedule"]
        self.best_path = Path(folder) / BEST
        self.history = History(folder)
        self.epoch, self.position = 1, 0
        self.best, self.finished, self.stopped = math.inf, False, None
        self.kernel, self.kernel_times = None, {}
        self._start_sums()

    def start(self):
        """Do what comes before the first step."""
        self.history.rewind([])
        self._settle_kernel()

    def state(self):
        """Return ``(tensors, meta)`` that :meth:`restore` needs to go on bit for bit."""
        inner, meta = self.optimiser.state()
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"optimiser.{name}": value for name, value in inner.items()}
        self._check_finite(*tensors.values())
        tensors["sums"] = self.sums
        # JSON has no infinity: before the first validation there is no best value.
        best = None if math.isinf(self.best) else self.best
        scalars = {name: getattr(self, name) for name in self.scalars}
        return tensors, {
            "optimiser": meta, "history": self.history.epochs, "best": best,
            "kernel": self.kernel, "kernel_times": self.kernel_times, **scalars,
        }  # fmt: skip

    def restore(self, tensors, meta):
        """Take up the state of a checkpoint."""
        self.model.load_state_dict(part(tensors, "model.", self.device))
        self.optimiser.restore(part(tensors, "optimiser.", self.device), meta["optimiser"])
        self.sums = tensors["sums"].to(self.device)
        for name in self.scalars:
            setattr(self, name, meta[name])
        self.best = math.inf if meta["best"] is None else meta["best"]
        self.history.rewind(meta["history"])
        self._restore_kernel(meta)

    def _settle_kernel(self):
        layers = [part for part in self.model.modules() if isinstance(part, LSTMLayer)]
        self.kernel, self.kernel_times = kernels.settle(layers, *self.chunk, self.device)
        times = ", ".join(f"{name} {each:.1f} ms" for name, each in self.kernel_times.items())
        found = f" ({times})" if times else ""
        print(f"kernel {self.kernel}{found}", file=sys.stderr, flush=True)

    def _restore_kernel(self, meta):
        """Go on with the kernel of a checkpoint; the oldest checkpoints do not name any."""
        if meta.get("kernel") is None:
            self._settle_kernel()
            return
        self.kernel, self.kernel_times = meta["kernel"], meta["kernel_times"]
        if not self.finished:
            kernels.go_on_with(self.kernel, self.device, self.best_path.parent)

    def _start_sums(self):
        self.sums = torch.zeros(2, device=self.device, dtype=torch.float64)

    def _add_loss(self, nats, count):
        """Count in the loss ``nats``, a sum over ``count`` tokens (or rows of tokens)."""
        # One by one: a number that is made a tensor first waits for the device, a summand does not.
        self.sums[0] += nats.detach()
        self.sums[1] += count

    def _mean_loss(self):
        return (self.sums[0] / self.sums[1]).item()

    def _follow(self, steps, epoch, share):
        """Every few steps, check the loss and show how far the run is."""
        if steps % STEPS_BETWEEN_CHECKS == 0:
            self._check_finite()
            self.history.show(epoch, share, self._mean_loss())

    def _check_finite(self, *values):
        """Raise UserError when the loss or one of ``values`` is NaN or infinite."""
        if not all(torch.as_tensor(v).isfinite().all() for v in (self.sums, *values)):
            raise UserError(
                f"the loss or a weight is not a finite number at {self.progress}; the last good "
                f"checkpoint is kept; lower optimisation.lr (now {self.settings['lr']}) or "
                "optimisation.clip and run again"
            )

    def _published(self):
        """Return the tensors of the model as it is published."""
        return self.model.state_dict()

    def _keep_if_best(self, criterion):
        """Save the model if ``criterion`` is lower than ever; return whether it is."""
        better = criterion < self.best
        if better:
            self.best = criterion
            save_tensors(self.best_path, self._published(), {"job": self.job})
        return better
