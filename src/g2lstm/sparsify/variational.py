"""What training runs of Bayesian models of any kind share."""

from g2lstm.sparsify.bayes import SparseVariationalDropout
from g2lstm.sparsify.structure import read_structure


class VariationalRun:
    """Adds to a training run, as its first base class, sparse variational dropout.

    Validated and published is the plain model that the Bayesian one is in test mode. The run has
    ``model``, of :class:`g2lstm.sparsify.variables.BayesianVariables`, ``plain``, a plain one to
    fill, and ``predictions``, the number of predictions of the training data.
    """

    def _make_regulariser(self):
        variables = [self.model.variable(name) for name in self.model.random]
        return SparseVariationalDropout(variables, tokens=self.predictions)

    def _tested(self):
        folded = self.model.folded()
        self.plain.load_state_dict({name: folded[name] for name in self.plain.state_dict()})
        return self.plain

    def _published(self):
        return self.model.folded()

    def _facts(self):
        """Return Σ R over the predictions, nats, and the compression so far."""
        arrays = {name: value.cpu().numpy() for name, value in self.model.folded().items()}
        compression = read_structure(arrays).facts()["compression"]
        return {"divergence": self.regulariser.penalty().item(), "compression": compression}
