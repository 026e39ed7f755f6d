"""Which gates of an exported model depend on anything, and what the constant ones are.

After Figures 4, 6 and 7 of Lobacheva et al. (2020).
"""

import numpy as np

from g2lstm.sparsify.structure import GATES

DIGITS = 4


def logistic(x):
    """Return the sigmoid of an array."""
    return 1.0 / (1.0 + np.exp(-x))


def hard_sigmoid(x):
    """Return the hard sigmoid of an array, which text classifiers have in place of the sigmoid."""
    return np.clip(0.2 * x + 0.5, 0.0, 1.0)


def gate_map(arrays, sigmoid=logistic):
    """Return, for each LSTM layer of the small dense ``arrays``, what a record says of its gates.

    ``live``: for each neuron that is left, the letters out of ``ifgo`` of its gates that depend on
    something. ``constants``: for each neuron the four gates' activation without any input, that is
    of their bias: σ(b), of the candidate tanh(b). It is the gate's value where it is constant.
    """
    layers = sum(name.endswith("weight_hh") for name in arrays)
    return [_layer(arrays, k, sigmoid) for k in range(layers)]


def _layer(arrays, k, sigmoid):
    weights = (arrays[f"lstm.{k}.weight_{name}"] for name in ("ih", "hh"))
    live = np.logical_or(*(matrix.any(1) for matrix in weights)).reshape(4, -1)
    bias = arrays[f"lstm.{k}.bias"].astype(np.float64).reshape(4, -1)
    constants = np.stack(
        [np.tanh(b) if g == "g" else sigmoid(b) for g, b in zip(GATES, bias, strict=True)]
    )
    return {
        "live": ["".join(np.array([*GATES])[gates]) for gates in live.T],
        "constants": np.round(constants.T, DIGITS).tolist(),
    }
