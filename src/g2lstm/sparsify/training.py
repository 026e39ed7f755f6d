"""Training by sparse variational dropout, whatever the model (Lobacheva et al. 2020)."""

from g2lstm.sparsify.bayes import SparseVariationalDropout
from g2lstm.sparsify.structure import read_structure


class VariationalTraining:
    """Adds Σ R to the training of a plain model, as the first base class beside that training.

    The loss is the mean cross-entropy plus Σ R over the number of ``predicted`` tokens or texts of
    the training data, which the training of the plain model knows. Validated and published is the
    plain model that the Bayesian one, of ``_make_model()``, is in test mode.
    """

    summed = False

    def __init__(self, job, corpus, folder, device):
        super().__init__(job, corpus, folder, device)
        self.plain = super()._make_model(job, corpus).to(device).eval()

    def _make_regulariser(self):
        variables = [self.model.variable(name) for name in self.model.random]
        return SparseVariationalDropout(variables, self.predicted)

    def _tested(self):
        folded = self.model.folded()
        self.plain.load_state_dict({name: folded[name] for name in self.plain.state_dict()})
        return self.plain

    def _published(self):
        return self.model.folded()

    def _facts(self):
        """Add Σ R over the number of predictions, nats, and the compression so far."""
        arrays = {name: value.cpu().numpy() for name, value in self.model.folded().items()}
        compression = read_structure(arrays).facts()["compression"]
        divergence = self.regulariser.penalty().item()
        return {**super()._facts(), "divergence": divergence, "compression": compression}
