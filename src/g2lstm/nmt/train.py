"""Training of the translation model: bucketed batches, validation by loss or BLEU.

An object of :class:`NMTTraining` is what :func:`g2lstm.training.loop.run` drives. One step is one
batch; a validation follows every ``validate_every`` updates and the last one.
"""

import math
from itertools import pairwise

import torch

from g2lstm.nmt.batches import epoch_order, make_batch
from g2lstm.nmt.bleu import score
from g2lstm.nmt.model import build_model
from g2lstm.nmt.translate import nats_per_word, to_lines, translate
from g2lstm.precision import full
from g2lstm.training.adadelta import AdaDelta
from g2lstm.training.adam import Adam
from g2lstm.training.run import TrainingRun

VALIDATION_BATCH = 64
SMALLEST_SHARE = 0.025  # of the learning rate: when it is down to this, patience is at its end


class NMTTraining(TrainingRun):
    """State and steps of one training run.

    Parameters
    ----------
    job : the complete training job, see :func:`g2lstm.config.complete_job`
    corpus : :class:`g2lstm.data.parallel.ParallelCorpus`
    folder : the run's checkpoint folder; the best model so far is kept there
    device : torch device
    """

    scalars = (*TrainingRun.scalars, "updates", "rate", "waited", "clip_next")

    def __init__(self, job, corpus, folder, device):
        model = build_model(job, len(corpus.vocabulary)).to(device).train()
        super().__init__(job, model, _optimiser(job, model), folder, device)
        self.corpus = corpus
        self.train_data, self.valid_data = corpus.splits["train"], corpus.splits["valid"]
        if job["model"]["output_bias"] == "unigram":
            self._start_at_unigram()
        self.rate = self.settings["lr"]
        self.updates, self.waited, self.clip_next = 0, 0, False
        self._start_epoch()

    def _start_at_unigram(self):
        """Set the output bias to the logarithms of the words' frequencies, none of them 0."""
        words = torch.from_numpy(self.train_data.target.astype("int64"))
        counts = torch.bincount(words, minlength=len(self.corpus.vocabulary)) + 1.0
        self.model.output.bias.data.copy_(torch.log(counts / counts.sum()))

    @property
    def chunk(self):
        """Steps and batch of a usual batch: words of a target sentence, sentences."""
        words = len(self.train_data.target) / (len(self.train_data.target_offsets) - 1)
        return round(words), self.settings["batch"]

    @property
    def progress(self):
        """Where the run stands, in words."""
        where = f"epoch {self.epoch}, batch {self.position} of {len(self.order)}"
        return f"{where}, after {self.updates} updates"

    def step(self):
        """Train on the next batch; validate when it is time."""
        batch = make_batch(self.train_data, self.order[self.position], self.device)
        source = self.model.encode(batch.source, batch.source_lengths)
        nats, words = self.model.negative_log_likelihood(source, batch.target, batch.target_lengths)
        self.optimiser.zero_grad()
        (nats / len(batch.target_lengths)).backward()
        self.last_rate = self._decayed_rate()
        self.optimiser.step(self.last_rate)
        self._add_loss(nats, words)
        self.position, self.updates = self.position + 1, self.updates + 1
        self._follow(self.updates, self._epochs_done(), self._share_done())
        if self.position == len(self.order):
            self.epoch, self.position = self.epoch + 1, 0
            self._start_epoch()
        last = self.updates == self.schedule["updates"]
        if last or self.updates % self.schedule["validate_every"] == 0:
            self._validate()
        if last and not self.finished:
            self.finished, self.stopped = True, "schedule"

    def _start_epoch(self):
        lengths = [getattr(self.train_data, f"{side}_offsets") for side in ("source", "target")]
        source, target = (offsets[1:] - offsets[:-1] for offsets in lengths)
        self.order = epoch_order(
            source, target, self.settings["batch"], self.settings["bucket"],
            seed=[self.job["seed"], self.epoch],
        )  # fmt: skip

    def _epochs_done(self):
        return round(self.epoch - 1 + self.position / len(self.order), 2)

    def _decayed_rate(self):
        if self.schedule["decay"] == "linear":
            return self.rate * (1 - self._share_done())
        return self.rate

    def _share_done(self):
        return self.updates / self.schedule["updates"]

    @full()
    def _validate(self):
        self._check_finite()
        self.model.eval()
        loss = nats_per_word(self.model, self.valid_data, VALIDATION_BATCH)
        bleu = self._bleu() if self.schedule["select"] == "bleu" else None
        self.model.train()
        self._check_finite(loss)
        better = self._keep_if_best(loss if bleu is None else -bleu)
        self.history.add(
            epoch=self._epochs_done(),
            updates=self.updates,
            train_loss=self._mean_loss(),
            valid_perplexity=math.exp(min(loss, 700.0)),
            valid_bleu=bleu,
            averaged=False,
            best=better,
            rate=self.last_rate,
        )
        self._start_sums()
        self._follow_patience(better)

    def _bleu(self):
        """Return BLEU of greedy translations; references are the validation ids put back."""
        found = translate(self.model, self.valid_data, 1, 1.0, 200, VALIDATION_BATCH)
        offsets, target = self.valid_data.target_offsets, self.valid_data.target
        wanted = [target[a : b - 1] for a, b in pairwise(offsets)]
        words = self.corpus.vocabulary
        return score(to_lines(found, words), to_lines(wanted, words), bootstrap=0)["bleu"]

    def _follow_patience(self, better):
        """After ``patience`` validations without improvement halve the rate and quarter the clip
        in turns; stop when the rate is down to the smallest.
        """
        self.waited = 0 if better else self.waited + 1
        if self.schedule["patience"] is None or self.waited < self.schedule["patience"]:
            return
        self.waited = 0
        if self.clip_next:
            self.optimiser.clip *= 0.25
        else:
            self.rate *= 0.5
        self.clip_next = not self.clip_next
        if self.rate <= SMALLEST_SHARE * self.settings["lr"]:
            self.finished, self.stopped = True, "patience"

    def restore(self, tensors, meta):
        """Take up the state of a checkpoint."""
        super().restore(tensors, meta)
        self._start_epoch()


def _optimiser(job, model):
    settings = job["optimisation"]
    if settings["optimiser"] == "adam":
        return Adam(model.parameters(), settings["clip"])
    options = (settings[name] for name in ("rho", "eps", "clip", "lag"))
    return AdaDelta(model.parameters(), *options)
