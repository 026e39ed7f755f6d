"""Intrinsic sparse structures of a recurrent highway network (Wen et al. 2018).

The group of unit j is all that depends on it: its column of the embedding, which the softmax
shares; the columns of all other matrices that read it, as a unit of the input or of the state; and
the rows of its candidate and transform gate. Biases are in no group. A unit whose group is zero can
be deleted: its state goes on by its biases, but nothing reads it.
"""

import numpy as np
import torch

from g2lstm.sparsify.export import at_least_one, bytes_of, load_trained, save_exported
from g2lstm.sparsify.pruning import INSIDE_ROOT

EMBEDDING = "embedding.weight"
MATRICES = "highway.weight_ih", "highway.weight_hh"  # of square blocks, one above the other
BIAS = "highway.bias"


class WeightDecay:
    """The regulariser ½ · ``decay`` · ‖w‖² of all parameters of ``model``, biases too."""

    def __init__(self, model, decay):
        self.parameters, self.decay = list(model.parameters()), decay

    def penalty(self):
        """Return the regulariser of the weights as they are."""
        return 0.5 * self.decay * sum(each.square().sum() for each in self.parameters)

    @torch.no_grad()
    def add_gradient(self):
        """Add the gradient of :meth:`penalty` to the ``grad`` of the weights."""
        gradients = [parameter.grad for parameter in self.parameters]
        torch._foreach_add_(gradients, self.parameters, alpha=self.decay)

    def after_step(self):
        """Leave the weights as they are."""


class Structures(WeightDecay):
    """That regulariser plus λ1 · Σ ‖group‖ over units, and a threshold on the groups' weights.

    Parameters
    ----------
    model : :class:`g2lstm.lm.highway.HighwayLanguageModel`
    decay : of all parameters
    lambda1 : strength of the group lasso, relative to a loss summed over steps
    threshold : weights of groups of no larger magnitude are zero after every step
    """

    def __init__(self, model, decay, lambda1, threshold):
        super().__init__(model, decay)
        self.lambda1, self.threshold = lambda1, threshold
        self.embedding, *self.matrices = map(model.get_parameter, (EMBEDDING, *MATRICES))

    def penalty(self):
        """Return the regulariser of the weights as they are."""
        return super().penalty() + self.lambda1 * self._norms().sum()

    @torch.no_grad()
    def add_gradient(self):
        """Add the gradient of :meth:`penalty` to the ``grad`` of the weights."""
        super().add_gradient()
        factor = self.lambda1 / self._norms()
        self.embedding.grad.addcmul_(self.embedding, factor)
        # A weight is in the groups of the unit that it feeds and of the unit that it reads.
        both = factor.unsqueeze(1) + factor
        for matrix in self.matrices:
            _blocks(matrix.grad).addcmul_(_blocks(matrix), both)

    @torch.no_grad()
    def after_step(self):
        """Set weights of groups of a magnitude up to the threshold to zero; they may come back."""
        for matrix in (self.embedding, *self.matrices):
            torch.hardshrink(matrix, self.threshold, out=matrix)

    def _norms(self):
        """Return the norm of each group (hidden); a unit's weights upon itself count twice."""
        squares = self.embedding.square().sum(0)
        for matrix in self.matrices:
            block = _blocks(matrix).square().sum(0)
            squares = squares + block.sum(0) + block.sum(1)
        return (squares + INSIDE_ROOT).sqrt()


def make_regulariser(method, model, decay):
    """Return what regularises ``model`` in training, by the section ``method`` of a job."""
    if method["method"] == "dense":
        return WeightDecay(model, decay)
    return Structures(model, decay, method["lambda1"], method["threshold"])


def kept_units(arrays):
    """Return which units have a group that is not all zero, bool (hidden).

    ``arrays``: name -> array of a highway language model.
    """
    kept = arrays[EMBEDDING].any(0)
    for name in MATRICES:
        blocks = _blocks(arrays[name]) != 0
        kept = kept | blocks.any((0, 1)) | blocks.any((0, 2))
    return kept


def remove_units(arrays, kept):
    """Return the arrays of the model with the units that ``kept`` (bool, hidden) tells."""
    small = {**arrays, EMBEDDING: arrays[EMBEDDING][:, kept]}
    for name in MATRICES:
        small[name] = _blocks(arrays[name])[:, kept][:, :, kept].reshape(-1, kept.sum())
    small[BIAS] = arrays[BIAS].reshape(-1, kept.size)[:, kept].ravel()
    return small


def export_model(model_path, output_path):
    """Write the small model of a sparse one; return the facts of a record about both.

    ``neurons1``: units left; ``weights``, ``weights_left`` and ``compression``: of matrices, all,
    those that are not zero, and their ratio; ``dense_bytes`` and ``file_bytes``, the files' sizes;
    and of the small model whose matrices are dense, ``dense_weights``, its parameters, and
    ``multadd``, by which factor it multiplies less.

    Raises UserError when the model is missing, damaged or exported already.
    """
    arrays, meta = load_trained(model_path)
    kept = kept_units(arrays)
    small = remove_units(arrays, at_least_one(kept))  # a model without a unit could not be run
    save_exported(output_path, small, meta)
    total, dense = (_matrix_weights(each, np.size) for each in (arrays, small))
    left = _matrix_weights(arrays, np.count_nonzero)
    return {
        "neurons1": int(kept.sum()),
        "weights": total,
        "weights_left": left,
        "compression": total / max(left, 1),
        **bytes_of(model_path, output_path),
        "dense_weights": sum(array.size for array in small.values()),
        # Each weight of a matrix multiplies once in a step, that of the embedding in the softmax.
        "multadd": total / dense,
    }


def _blocks(matrix):
    """Return a matrix (blocks · hidden, hidden) as a view (blocks, hidden, hidden)."""
    hidden = matrix.shape[1]
    return matrix.reshape(-1, hidden, hidden)


def _matrix_weights(arrays, count):
    return sum(int(count(array)) for array in arrays.values() if array.ndim == 2)
