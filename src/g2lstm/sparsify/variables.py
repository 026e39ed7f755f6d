"""Modules whose parameters are the means of Bayesian variables (Lobacheva et al. 2020)."""

import torch
import torch.nn.functional as F
from torch import nn

from g2lstm.sparsify.bayes import LOG_SIGMA, masked, sample
from g2lstm.sparsify.structure import COUNTED, bits


class BayesianVariables(nn.Module):
    """Adds to a model, as its first base class, random weights and group variables.

    ``random`` has the names of all that is random: matrices of the model, whose parameters are
    their means, and ``groups.{name}``, the means of the group variables z, each (units), which
    start at 1. ``log_sigma`` has the logarithms of all standard deviations, each of the shape of
    its mean, which start at -3. In test mode all are their means, or zero
    (:func:`g2lstm.sparsify.bayes.masked`).
    """

    def make_random(self, matrices, units):
        """Make ``matrices`` (names of parameters) random, and group variables of ``units``.

        ``units``: name of a group variable -> its number of units. Call once, after the model's
        own parameters exist.
        """
        self.groups = nn.ParameterDict({name: torch.ones(size) for name, size in units.items()})
        self.random = [*matrices, *(f"groups.{name}" for name in units)]
        start = {name: torch.full_like(self.get_parameter(name), LOG_SIGMA) for name in self.random}
        self.log_sigma = nn.ParameterDict({_key(name): value for name, value in start.items()})

    def variable(self, name):
        """Return the mean and log σ of what is named ``name`` in ``random``."""
        return self.get_parameter(name), self.log_sigma[_key(name)]

    def matrix(self, name):
        """Return one draw of a matrix, or its masked means in test mode."""
        return (sample if self.training else masked)(*self.variable(name))

    def rows(self, name, places):
        """Return rows of a matrix, one draw of each of ``places``, or their masked means."""
        both = (F.embedding(places, value) for value in self.variable(name))
        return (sample if self.training else masked)(*both)

    def group(self, name, batch):
        """Return a group variable (batch, units): a draw for each sequence, or masked means."""
        both = (value.expand(batch, -1) for value in self.variable(f"groups.{name}"))
        return (sample if self.training else masked)(*both)

    def tested(self):
        """Return the masked means of all that is random, and the other parameters as they are."""
        values = {name: masked(*self.variable(name)) for name in self.random}
        return {
            name: values.get(name, value)
            for name, value in self.state_dict().items()
            if not name.startswith("log_sigma.")
        }

    @torch.no_grad()
    def folded(self):
        """Return the tensors of the plain model that this is in test mode.

        Each group variable is a factor of weights: ``vocabulary`` of rows of the embedding;
        ``input``, the embedding's units, and ``hidden{layer}`` of the columns that read them;
        ``gates{layer}`` of their rows. Beside a matrix whose rows gates' z can remove stands, with
        ``COUNTED`` behind its name, which weights it has without them: these count as left.
        """
        tested = self.tested()
        z = {
            name.removeprefix("groups."): tested.pop(name)
            for name in list(tested)
            if name.startswith("groups.")
        }
        if "vocabulary" in z:
            tested["embedding.weight"] *= z["vocabulary"].unsqueeze(1)
        layers = sum(name.endswith("weight_hh") for name in tested)
        inputs = [f"lstm.{k}.weight_ih" for k in range(layers)]
        if "input" in z:
            tested[inputs[0]] *= z["input"]
        for k, reader in enumerate([*inputs[1:], "decoder.weight"]):
            recurrent = f"lstm.{k}.weight_hh"
            if f"hidden{k}" in z:
                tested[recurrent] *= z[f"hidden{k}"]
                tested[reader] *= z[f"hidden{k}"]
        for k in range(layers):
            for name in (inputs[k], f"lstm.{k}.weight_hh") if f"gates{k}" in z else ():
                tested[name + COUNTED] = torch.from_numpy(bits(tested[name].cpu().numpy() != 0))
                tested[name] *= z[f"gates{k}"].unsqueeze(1)
        return tested


def _key(name):
    return name.replace(".", "_")
