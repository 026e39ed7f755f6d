"""Training kernel of the attention layer: in the code that :mod:`g2lstm.cells.kernels` chooses."""

from g2lstm.cells.kernels import choose
from g2lstm.nmt import attention, native

KERNELS = {"native": native.attention_lstm, "pytorch": attention.attention_lstm}  # cuDNN has none


def attention_lstm(projected, *others):
    """Run the chosen kernel; see :func:`g2lstm.nmt.attention.attention_lstm`."""
    chosen = choose(projected.device.type, projected.dtype)
    return KERNELS.get(chosen, attention.attention_lstm)(projected, *others)


def energies(query, *others):
    """Run the chosen kernel; see :func:`g2lstm.nmt.attention.energies`."""
    is_native = choose(query.device.type, query.dtype) == "native"
    return (native if is_native else attention).energies(query, *others)
