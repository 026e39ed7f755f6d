"""Training of the stacked language model by sparse variational dropout."""

from g2lstm.lm.bayes import BayesianLanguageModel
from g2lstm.lm.stacked import build_model
from g2lstm.lm.stacked_train import StackedTraining
from g2lstm.sparsify.training import VariationalTraining


class BayesianTraining(VariationalTraining, StackedTraining):
    """A :class:`VariationalTraining` of the stacked language model.

    Parameters are those of :class:`StackedTraining`; the kernel that is recorded computes the
    softmax, and the recurrence of a model without group variables.
    """

    def _make_model(self, job, corpus):
        levels = job["method"]["levels"]
        return build_model(job, corpus.vocabulary_size, BayesianLanguageModel, levels=levels)
