"""How far back in time the neurons of a layer look: gradients over the time lag.

After Figure 5 of Lobacheva et al. (2020).
"""

import math

import torch

LAGS = 100
WINDOWS = 50
FAR = 20  # lags from here on count as far


def gradient_norms(run, x):
    """Return ‖∂h_m(T) / ∂x(T - lag)‖ for each neuron m of a layer, (neurons, steps).

    ``run`` computes the outputs of the layer, (steps, windows, neurons), from its inputs ``x``,
    (steps, windows, units). The norm is over the units, the mean over the windows; column ``lag``
    is that many steps before the last.
    """
    x = x.detach().requires_grad_()
    last = run(x)[-1].sum(0)  # windows do not meet: a sum has the gradients of all at once
    found = [torch.autograd.grad(neuron, x, retain_graph=True)[0] for neuron in last]
    return torch.stack([g.norm(dim=2).mean(1).flip(0) for g in found])


def far_shares(norms, live):
    """Return the mean norm at lags from ``FAR`` on relative to that at lag 0, by kind of neuron.

    ``live``: for each neuron the letters of its gates that are not constant. ``far_o`` is the mean
    over neurons with the output gate alone, ``far_ifgo`` over those with all four; one without any
    such neuron, or without such lags, is left out. So is a neuron without a gradient at lag 0.
    """
    if norms.shape[1] <= FAR:
        return {}
    pairs = zip((norms[:, FAR:].mean(1) / norms[:, 0]).tolist(), live, strict=True)
    shares = [(share, letters) for share, letters in pairs if math.isfinite(share)]
    found = {}
    for kind in ("o", "ifgo"):
        chosen = [share for share, letters in shares if letters == kind]
        if chosen:
            found[f"far_{kind}"] = sum(chosen) / len(chosen)
    return found


def even_starts(length, steps, count):
    """Return the starts of at most ``count`` windows of ``steps``, evenly over ``length`` steps."""
    count = max(1, min(count, length - steps + 1))
    return torch.linspace(0, max(length - steps, 0), count).long().tolist()
