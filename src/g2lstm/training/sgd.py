"""Plain SGD behind the interface of our optimisers: clipping, rate, checkpoints."""

import torch


class SGD:
    """Stochastic gradient descent with clipping of the global gradient norm."""

    def __init__(self, parameters, clip=None):
        self.parameters, self.clip = list(parameters), clip

    @torch.no_grad()
    def step(self, rate):
        """Clip the gradient and move against it by ``rate``."""
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip, foreach=True)
        gradients = [parameter.grad for parameter in self.parameters]
        torch._foreach_add_(self.parameters, gradients, alpha=-rate)

    def zero_grad(self):
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state(self):
        """Return ``(tensors, meta)`` for a checkpoint; the parameters are left to the model."""
        return {}, {}

    def restore(self, tensors, meta):
        """Take up the state that :meth:`state` returned: there is none."""
