"""The text classifier with Bayesian weights and group variables (Lobacheva et al. 2020)."""

import torch
import torch.nn.functional as F

from g2lstm.cells import hard
from g2lstm.sparsify.bayes import masked, noisy_product, sample
from g2lstm.sparsify.variables import BayesianVariables
from g2lstm.text.model import TextClassifier, look_up, turned


class BayesianTextClassifier(BayesianVariables, TextClassifier):
    """A :class:`TextClassifier` whose matrices are random; its parameters are their means.

    Group variables z are random too: always those of the words (``vocabulary``), others by
    ``levels``:

    ===  =======================================================================================
    w    no others
    wn   of each unit of the embedding (``input``) and of each neuron (``hidden0``)
    wgn  those, and of each gate (``gates0``)
    ===  =======================================================================================

    Biases are not random. In training each call takes one draw of the embedding and the LSTM's
    matrices, and one of z for each text; the noise of the dense layer is that of its outputs, one
    draw for each text. In test mode all are their means, or zero
    (:func:`g2lstm.sparsify.bayes.masked`).
    """

    def __init__(self, vocabulary, embedding, hidden, outputs, init=0.05, levels="w"):
        super().__init__(vocabulary, embedding, hidden, outputs, init)
        self.levels = levels
        units = {"vocabulary": vocabulary}
        if levels != "w":
            units |= {"input": embedding, "hidden0": hidden}
        if levels == "wgn":
            units["gates0"] = 4 * hidden
        matrices = [name for name, p in self.named_parameters() if p.dim() == 2]
        self.make_random(matrices, units)

    def forward(self, tokens, kept):
        """As of :class:`TextClassifier`; in training all that is random is drawn anew."""
        batch = tokens.shape[1]
        words, place = tokens.unique(return_inverse=True)
        rows, z = self.rows("embedding.weight", words), self._of_words(tokens)
        weight_ih, weight_hh = (self.matrix(f"lstm.0.weight_{name}") for name in ("ih", "hh"))
        z_hidden, z_gates = (
            self.group(name, batch) if f"groups.{name}" in self.random else None
            for name in ("hidden0", "gates0")
        )
        if self.levels == "w":
            projected = turned(look_up(rows, place, weight_ih) * z)
        else:  # the same word is another one in each text: its units have z of the text
            x = F.embedding(place, rows) * (z * self.group("input", batch))
            projected = hard.project(x, weight_ih)
        return self._decode(
            hard.last_state(projected, kept, weight_hh, self.lstm[0].bias, z_hidden, z_gates)
        )

    def _of_words(self, tokens):
        """Return z of ``tokens`` (steps, batch), (steps, batch, 1): one draw a text and word."""
        both = (value.unsqueeze(1) for value in self.variable("groups.vocabulary"))
        if not self.training:
            return F.embedding(tokens, masked(*both))
        texts = torch.arange(tokens.shape[1], device=tokens.device)
        count = len(self.embedding.weight)
        pairs, place = (tokens + count * texts).unique(return_inverse=True)
        return F.embedding(place, sample(*(F.embedding(pairs % count, value) for value in both)))

    def _decode(self, last):
        """Return the logits of last states (batch, hidden), in training with noise on them."""
        if not self.training:
            return F.linear(last, self.matrix("decoder.weight"), self.decoder.bias)
        mean, log_sigma = self.variable("decoder.weight")
        noise = torch.randn(len(last), len(mean), dtype=last.dtype, device=last.device)
        return noisy_product(last, mean, log_sigma, noise) + self.decoder.bias
