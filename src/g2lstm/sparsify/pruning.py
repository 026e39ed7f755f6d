"""Pruning from scratch: group lasso on LSTM layers, lasso, and a threshold on all weights.

Groups of neuron m of a layer (Wen et al. 2018; Lobacheva et al. 2020, Section 3):

=========  =====================================================================================
gate k     row m of gate k's matrices, its bias excepted: all that comes in
output     column m of the recurrent matrix in all four gates and of the consumer, which is the
           next layer's input matrix or that of the softmax: all that goes out
ISS        the union of the five as one group; the four weights of m upon itself count twice
=========  =====================================================================================

``neurons`` penalises the norm of each ISS group (W+N), ``gates`` the norms of the five (W+G+N).

The lasso is on all but the embedding, as in the code of Wen et al. that print was made with, though
Lobacheva et al. write "only to the LSTM layers": see docs/results.md for what decided it.
"""

import torch

INSIDE_ROOT = 1e-8  # of each norm: the gradient of a group that is zero is zero


class Pruning:
    """The regulariser λ1 · Σ ‖group‖ + λ2 · ‖w‖₁ of a language model, and its threshold.

    Parameters
    ----------
    model : with ``lstm``, a list of layers, and ``decoder``, which reads the last one
    groups : ``neurons`` or ``gates``
    lambda1, lambda2 : strengths of group lasso and lasso, relative to a loss summed over steps
    threshold : weights of no larger magnitude are zero after every step
    """

    def __init__(self, model, groups, lambda1, lambda2, threshold):
        self.model = model
        self.groups = groups
        self.lambda1, self.lambda2, self.threshold = lambda1, lambda2, threshold

    def penalty(self):
        """Return the regulariser of the weights as they are."""
        total = 0.0
        for layer, consumer in consumers(self.model):
            rows, columns = self._norms(layer, consumer)
            # The rows of an ISS group have its norm, and so has its column.
            total += self.lambda1 * columns.sum()
            if self.groups == "gates":
                total += self.lambda1 * rows.sum()
        return total + self.lambda2 * sum(each.abs().sum() for each in self._under_lasso())

    @torch.no_grad()
    def add_gradient(self):
        """Add the gradient of :meth:`penalty` to the ``grad`` of the weights."""
        for layer, consumer in consumers(self.model):
            rows, columns = self._norms(layer, consumer)
            by_row, by_column = (self.lambda1 / rows).unsqueeze(1), self.lambda1 / columns
            layer.weight_ih.grad.addcmul_(layer.weight_ih, by_row)
            layer.weight_hh.grad.addcmul_(layer.weight_hh, by_row + by_column)
            consumer.grad.addcmul_(consumer, by_column)
        for each in self._under_lasso():
            each.grad.add_(each.sign(), alpha=self.lambda2)

    @torch.no_grad()
    def after_step(self):
        """Set all weights of a magnitude up to the threshold to zero; they may come back.

        Biases and embedding too, as in the code of Wen et al.
        """
        for parameter in self.model.parameters():
            torch.hardshrink(parameter, self.threshold, out=parameter)

    def _under_lasso(self):
        embedding = self.model.embedding.weight
        return [each for each in self.model.parameters() if each is not embedding]

    def _norms(self, layer, consumer):
        """Return the norms of the groups: of each row (4 · hidden) and each column (hidden)."""
        rows = layer.weight_ih.square().sum(1) + layer.weight_hh.square().sum(1)
        columns = layer.weight_hh.square().sum(0) + consumer.square().sum(0)
        if self.groups == "neurons":
            whole = columns + rows.view(4, -1).sum(0)
            rows, columns = whole.repeat(4), whole
        return (rows + INSIDE_ROOT).sqrt(), (columns + INSIDE_ROOT).sqrt()


def consumers(model):
    """Return each LSTM layer of ``model`` with the matrix whose columns read its neurons."""
    readers = [*(layer.weight_ih for layer in model.lstm[1:]), model.decoder.weight]
    return list(zip(model.lstm, readers, strict=True))


class Dense:
    """No regulariser and no threshold: the model that the sparse ones are compared with."""

    def add_gradient(self):
        """Leave the gradient as it is."""

    def after_step(self):
        """Leave the weights as they are."""


def make_regulariser(method, model):
    """Return what makes ``model`` sparse in training, by the section ``method`` of a job."""
    if method["method"] == "dense":
        return Dense()
    settings = {name: value for name, value in method.items() if name != "method"}
    return Pruning(model, **settings)
