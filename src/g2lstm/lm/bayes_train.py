"""Training of the stacked language model by sparse variational dropout."""

from g2lstm.lm.bayes import BayesianLanguageModel
from g2lstm.lm.stacked import build_model
from g2lstm.lm.stacked_train import StackedTraining
from g2lstm.sparsify.bayes import SparseVariationalDropout
from g2lstm.sparsify.structure import read_structure


class BayesianTraining(StackedTraining):
    """A training run whose loss is the mean cross-entropy plus Σ R over the predicted tokens.

    Validated and published is the plain model that the Bayesian one is in test mode. Parameters
    are those of :class:`StackedTraining`; the kernel that is recorded computes the softmax, and
    the recurrence of a model without group variables.
    """

    summed = False

    def __init__(self, job, corpus, folder, device):
        super().__init__(job, corpus, folder, device)
        self.plain = build_model(job, corpus.vocabulary_size).to(device).eval()

    def _make_model(self, job, vocabulary):
        return build_model(job, vocabulary, BayesianLanguageModel, levels=job["method"]["levels"])

    def _make_regulariser(self):
        variables = [self.model.variable(name) for name in self.model.random]
        return SparseVariationalDropout(variables, tokens=self.train_data[1:].numel())

    def _tested(self):
        folded = self.model.folded()
        self.plain.load_state_dict({name: folded[name] for name in self.plain.state_dict()})
        return self.plain

    def _published(self):
        return self.model.folded()

    def _facts(self):
        """Return Σ R over the predicted tokens, nats, and the compression so far."""
        arrays = {name: value.cpu().numpy() for name, value in self.model.folded().items()}
        compression = read_structure(arrays).facts()["compression"]
        return {"divergence": self.regulariser.penalty().item(), "compression": compression}
