"""What trainings by epochs have in common: validation after each, a regulariser in the steps."""

import math

from g2lstm.precision import full
from g2lstm.training.run import TrainingRun


class EpochTraining(TrainingRun):
    """A training run that is validated after each epoch.

    ``steps`` counts the steps of the epoch. A subclass has ``_start_epoch()``, which sets it to 0,
    and ``_valid_loss(model)``, nats a token, or a text, of the validation data.
    """

    scalars = (*TrainingRun.scalars, "steps")

    def _tested(self):
        """Return the model that is validated, in test mode."""
        return self.model.eval()

    @full()
    def _validate(self):
        """Return the cross-entropy of the validation data, nats a token."""
        loss = self._valid_loss(self._tested())
        self.model.train()
        self._check_finite(loss)
        return loss


class RegularisedTraining(EpochTraining):
    """A training run of ``chunks`` steps an epoch on cross-entropy and ``regulariser``.

    A subclass has these two, ``_rate()``, the learning rate, and ``_forward()``, which runs the
    model on the next piece of the data and returns its mean cross-entropy, nats, and its share in
    the mean of the epoch. The loss is that mean, or where it is ``summed`` that times the share.
    """

    summed = False

    def step(self):
        """Train on the next piece, or close the epoch after the last one."""
        if self.steps == self.chunks:
            self._end_epoch()
            return
        nats, share = self._forward()
        self.optimiser.zero_grad()
        (nats * share if self.summed else nats).backward()
        self.regulariser.add_gradient()
        self.optimiser.step(self._rate())
        self.regulariser.after_step()
        self._add_loss(nats * share, share)
        self._follow(self.steps, self.epoch, self.steps / self.chunks)

    def _facts(self):
        """Return what else the history says of an epoch."""
        return {}

    def _end_epoch(self):
        self._check_finite()
        loss = self._validate()
        # Sparse models are taken as the last epoch leaves them: later ones are sparser.
        last = self.schedule["select"] == "last"
        better = self._keep_if_best(-self.epoch if last else loss)
        self.history.add(
            epoch=self.epoch,
            train_loss=self._mean_loss(),
            valid_perplexity=math.exp(min(loss, 700.0)),
            averaged=False,
            best=better,
            steps=self.steps,
            **self._facts(),
        )
        patience = self.schedule["patience"]
        best = max(entry["epoch"] for entry in self.history.epochs if entry["best"])
        if patience is not None and self.epoch - best >= patience:
            self.finished, self.stopped = True, "patience"
        self.epoch += 1
        if self.epoch > self.schedule["epochs"]:
            self.finished, self.stopped = True, "schedule"
        self._start_epoch()
