"""Training of the stacked language model by sparse variational dropout."""

from g2lstm.lm.bayes import BayesianLanguageModel
from g2lstm.lm.stacked import build_model
from g2lstm.lm.stacked_train import StackedTraining
from g2lstm.sparsify.variational import VariationalRun


class BayesianTraining(VariationalRun, StackedTraining):
    """A training run whose loss is the mean cross-entropy plus Σ R over the predicted tokens.

    Parameters are those of :class:`StackedTraining`; the kernel that is recorded computes the
    softmax, and the recurrence of a model without group variables.
    """

    summed = False

    def __init__(self, job, corpus, folder, device):
        super().__init__(job, corpus, folder, device)
        self.plain = build_model(job, corpus.vocabulary_size).to(device).eval()

    @property
    def predictions(self):
        """Predicted tokens of the training text."""
        return self.train_data[1:].numel()

    def _make_model(self, job, vocabulary):
        return build_model(job, vocabulary, BayesianLanguageModel, levels=job["method"]["levels"])
