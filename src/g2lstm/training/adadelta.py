"""AdaDelta (Zeiler 2012), with the one-step lag of the Theano recipes as an option."""

import torch


class AdaDelta:
    """AdaDelta with clipping of the global gradient norm.

    ``rho`` is the decay of both accumulators, ``eps`` stands inside both roots. With ``lag`` the
    step uses the accumulator of squared gradients from before the current one, as the released
    code of Li et al. does. Both accumulators then start at 0 and stay equal, since each update is
    minus the clipped gradient: with ``rate`` 1 the lagging AdaDelta is plain SGD.
    """

    def __init__(self, parameters, rho=0.95, eps=1e-7, clip=None, lag=True):
        self.parameters = list(parameters)
        self.rho, self.eps, self.clip, self.lag = rho, eps, clip, lag
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.updates = [torch.zeros_like(parameter) for parameter in self.parameters]

    @torch.no_grad()
    def step(self, rate=1.0):
        """Move by ``rate`` times the update that the gradients ask for."""
        gradients = [parameter.grad for parameter in self.parameters]
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip, foreach=True)
        if not self.lag:
            self._accumulate(gradients)
        factor = torch._foreach_add(self.updates, self.eps)
        divisor = torch._foreach_add(self.squares, self.eps)
        torch._foreach_div_(factor, divisor)
        torch._foreach_sqrt_(factor)
        if self.lag:
            self._accumulate(gradients)
        torch._foreach_mul_(factor, gradients)
        torch._foreach_add_(self.parameters, factor, alpha=-rate)
        torch._foreach_mul_(self.updates, self.rho)
        torch._foreach_addcmul_(self.updates, factor, factor, value=1 - self.rho)

    def _accumulate(self, gradients):
        torch._foreach_mul_(self.squares, self.rho)
        torch._foreach_addcmul_(self.squares, gradients, gradients, value=1 - self.rho)

    def zero_grad(self):
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state(self):
        """Return ``(tensors, meta)`` for a checkpoint; the parameters are left to the model."""
        squares = {f"squares.{k}": value for k, value in enumerate(self.squares)}
        updates = {f"updates.{k}": value for k, value in enumerate(self.updates)}
        return squares | updates, {"clip": self.clip}

    def restore(self, tensors, meta):
        """Take up the state that :meth:`state` returned."""
        self.clip = meta["clip"]
        for name in ("squares", "updates"):
            for k, value in enumerate(getattr(self, name)):
                value.copy_(tensors[f"{name}.{k}"])
