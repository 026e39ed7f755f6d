"""The stacked language model with Bayesian weights and group variables (Lobacheva et al. 2020)."""

import torch.nn.functional as F

from g2lstm.cells import grouped
from g2lstm.lm.stacked import StackedLanguageModel
from g2lstm.sparsify.variables import BayesianVariables
from g2lstm.training.softmax import linear_cross_entropy


class BayesianLanguageModel(BayesianVariables, StackedLanguageModel):
    """A :class:`StackedLanguageModel` whose matrices are random; its parameters are their means.

    Group variables z are random too; which there are is told by ``levels``:

    ===  =======================================================================================
    w    none
    wn   of each unit of the embedding (``input``) and of each neuron (``hidden{layer}``)
    wgn  those, and of each gate (``gates{layer}``)
    ===  =======================================================================================

    Biases are not random. In training each chunk gets one draw of the matrices, and one of z for
    each sequence; in test mode all are their means, or zero
    (:func:`g2lstm.sparsify.bayes.masked`).
    """

    def __init__(self, vocabulary, sizes, init=0.1, dropout=0.0, levels="w"):
        """Make a model of ``sizes``: units of the embedding and of each layer."""
        super().__init__(vocabulary, sizes, init, dropout)
        self.levels = levels
        matrices = [name for name, p in self.named_parameters() if p.dim() == 2]
        units = {} if levels == "w" else {"input": sizes[0]}
        for k, hidden in enumerate(sizes[1:] if units else ()):
            units[f"hidden{k}"] = hidden
            if levels == "wgn":
                units[f"gates{k}"] = 4 * hidden
        self.make_random(matrices, units)

    def forward(self, tokens, state):
        """As of :class:`StackedLanguageModel`; in training all but the softmax is drawn anew."""
        batch = tokens.shape[1]
        x = self._drop(self._embed(tokens))
        if self.levels != "w":
            x = x * self.group("input", batch)
        new_state = []
        for k, (layer, layer_state) in enumerate(zip(self.lstm, state, strict=True)):
            matrices = (self.matrix(f"lstm.{k}.weight_{name}") for name in ("ih", "hh"))
            given = (x, *layer_state, *matrices, layer.bias)
            if self.levels == "w":
                raw, *layer_state = layer.kernel(*given)
            else:
                z_gates = self.group(f"gates{k}", batch) if self.levels == "wgn" else None
                raw, *layer_state = grouped.lstm(*given, self.group(f"hidden{k}", batch), z_gates)
            new_state.append(tuple(layer_state))
            x = self._drop(raw)
        return raw, x, new_state

    def logits(self, x):
        """Return the logits (..., vocabulary) of hidden states ``x`` (..., hidden)."""
        return F.linear(x, self.matrix("decoder.weight"), self.decoder.bias)

    def cross_entropy(self, x, targets):
        """As of :class:`StackedLanguageModel`; in training the softmax's matrix is drawn anew."""
        weight = self.matrix("decoder.weight")
        return linear_cross_entropy(x.flatten(0, 1), weight, self.decoder.bias, targets.flatten())

    def _embed(self, tokens):
        """Return the embedding of ``tokens``; only rows that are read are drawn."""
        words, place = tokens.unique(return_inverse=True)
        return F.embedding(place, self.rows("embedding.weight", words))
