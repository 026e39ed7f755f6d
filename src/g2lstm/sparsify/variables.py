"""Modules whose parameters are the means of Bayesian variables (Lobacheva et al. 2020)."""

import torch
from torch import nn

from g2lstm.sparsify.bayes import LOG_SIGMA, masked, sample


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


def _key(name):
    return name.replace(".", "_")
