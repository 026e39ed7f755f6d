"""Trained and exported models of sparse tasks, from their files into test mode.

``empty(arrays)`` makes a model of one kind with the sizes of ``arrays`` (name -> array).
"""

from g2lstm.sparsify.export import load_exported, load_plain
from g2lstm.training.tensors import to_tensors


def read_model(empty, path, device):
    """Read a trained model as it stands; return it, in test mode, with its metadata.

    Raises UserError when the file is missing, damaged or of an exported model.
    """
    arrays, meta = load_plain(path)
    return filled(empty, arrays, device), meta


def read_exported(empty, path, device):
    """Read an exported model, which has what is left of a trained one; return it likewise."""
    arrays, meta = load_exported(path)
    return filled(empty, arrays, device), meta


def filled(empty, arrays, device):
    """Return the model of ``arrays``, in their type, in test mode and on ``device``."""
    weights = to_tensors(arrays)
    model = empty(arrays).to(weights["decoder.bias"].dtype)
    model.load_state_dict(weights)
    return model.to(device).eval()
