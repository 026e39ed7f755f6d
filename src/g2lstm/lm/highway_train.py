"""Training of the recurrent highway language model, dense or with intrinsic sparse structures."""

from g2lstm.lm.highway import build_model
from g2lstm.lm.stacked_train import StackedTraining
from g2lstm.sparsify.highway import kept_units, make_regulariser


class HighwayTraining(StackedTraining):
    """A training run; loss, schedule and parameters are those of :class:`StackedTraining`."""

    def _make_model(self, job, corpus):
        return build_model(job, corpus.vocabulary_size)

    def _make_regulariser(self):
        return make_regulariser(self.job["method"], self.model, self.settings["weight_decay"])

    def _facts(self):
        """Return how many units are left."""
        arrays = {name: value.cpu().numpy() for name, value in self.model.state_dict().items()}
        return {"width": int(kept_units(arrays).sum())}
