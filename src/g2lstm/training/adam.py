"""Adam of PyTorch behind the interface of our optimisers: clipping, rate, checkpoints."""

import torch


class Adam:
    """Adam (Kingma & Ba 2015) with clipping of the global gradient norm."""

    def __init__(self, parameters, clip=None):
        self.parameters, self.clip = list(parameters), clip
        # fused: one pass over memory, four times faster on a CPU; it wants "step" on the device
        self.inner = torch.optim.Adam(self.parameters, fused=True)
        for parameter in self.parameters:
            self.inner.state[parameter] = {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    def step(self, rate):
        """Clip the gradient and move at the learning rate ``rate``."""
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip, foreach=True)
        self.inner.param_groups[0]["lr"] = rate
        self.inner.step()

    def zero_grad(self):
        """Forget the gradients."""
        self.inner.zero_grad()

    def state(self):
        """Return ``(tensors, meta)`` for a checkpoint; the parameters are left to the model."""
        tensors = {
            f"{name}.{k}": value
            for k, parameter in enumerate(self.parameters)
            for name, value in self.inner.state[parameter].items()
        }
        return tensors, {"clip": self.clip}

    def restore(self, tensors, meta):
        """Take up the state that :meth:`state` returned."""
        self.clip = meta["clip"]
        for k, parameter in enumerate(self.parameters):
            for name, value in self.inner.state[parameter].items():
                value.copy_(tensors[f"{name}.{k}"])
