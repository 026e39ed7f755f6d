"""SGD that can average its iterates: both phases of NT-ASGD (Merity et al. 2017) in one class."""

from contextlib import contextmanager

import torch


class AveragingSGD:
    """Plain SGD with weight decay and clipping; on request the running mean of the iterates.

    PyTorch's ASGD applies a changed learning rate one step late and starts its mean late, which
    matters here because the rate changes with the length of each chunk. This one has no lag: the
    rate given to :meth:`step` is the rate used, and the mean is that of all iterates since
    :meth:`start_averaging`.
    """

    def __init__(self, parameters, weight_decay=0.0, clip=None):
        self.parameters = list(parameters)
        self.weight_decay = weight_decay
        self.clip = clip
        self.average = None
        self.averaged_steps = 0

    @property
    def averaging(self):
        """True after :meth:`start_averaging`."""
        return self.average is not None

    def start_averaging(self):
        """Begin the running mean with the next step."""
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.averaged_steps = 0

    @torch.no_grad()
    def step(self, rate):
        """Clip the global gradient norm, add the weight decay, and move by ``rate``."""
        gradients = [parameter.grad for parameter in self.parameters]
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip, foreach=True)
        torch._foreach_mul_(self.parameters, 1 - rate * self.weight_decay)
        torch._foreach_add_(self.parameters, gradients, alpha=-rate)
        if self.averaging:
            self.averaged_steps += 1
            torch._foreach_lerp_(self.average, self.parameters, 1 / self.averaged_steps)

    def zero_grad(self):
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @contextmanager
    def averaged(self):
        """Put the mean into the model within the block, when there is one."""
        if not self.averaging:
            yield
            return
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self):
        for parameter, mean in zip(self.parameters, self.average, strict=True):
            parameter.data, mean.data = mean.data, parameter.data

    def state(self):
        """Return ``(tensors, meta)`` for a checkpoint; the parameters are left to the model."""
        tensors = {f"average.{k}": mean for k, mean in enumerate(self.average or [])}
        return tensors, {"averaging": self.averaging, "averaged_steps": self.averaged_steps}

    def restore(self, tensors, meta):
        """Take up the state that :meth:`state` returned."""
        self.averaged_steps = meta["averaged_steps"]
        self.average = None
        if meta["averaging"]:
            self.average = [
                tensors[f"average.{k}"].to(parameter.device)
                for k, parameter in enumerate(self.parameters)
            ]
