"""Training of the translation model: bucketed batches, validation by loss or BLEU.

An object of :class:`NMTTraining` is what :func:`g2lstm.training.loop.run` drives. One step is one
batch; a validation follows every ``validate_every`` updates and the last one.
"""

import math
from itertools import pairwise
from pathlib import Path

import torch

from g2lstm.errors import UserError
from g2lstm.nmt.batches import epoch_order, make_batch
from g2lstm.nmt.bleu import score
from g2lstm.nmt.model import build_model
from g2lstm.nmt.translate import nats_per_word, to_lines, translate
from g2lstm.training.adadelta import AdaDelta
from g2lstm.training.adam import Adam
from g2lstm.training.history import History
from g2lstm.training.loop import BEST
from g2lstm.training.tensors import part, save_tensors

VALIDATION_BATCH = 64
STEPS_BETWEEN_CHECKS = 20  # of the loss for NaN: each check waits for the device
SMALLEST_SHARE = 0.025  # of the learning rate: when it is down to this, patience is at its end


class NMTTraining:
    """State and steps of one training run.

    Parameters
    ----------
    job : the complete training job, see :func:`g2lstm.config.complete_job`
    corpus : :class:`g2lstm.data.parallel.ParallelCorpus`
    folder : the run's checkpoint folder; the best model so far is kept there
    device : torch device
    """

    def __init__(self, job, corpus, folder, device):
        self.job, self.corpus, self.device = job, corpus, device
        self.settings, self.schedule = job["optimisation"], job["schedule"]
        self.model = build_model(job, len(corpus.vocabulary)).to(device).train()
        self.best_path = Path(folder) / BEST
        self.train_data, self.valid_data = corpus.splits["train"], corpus.splits["valid"]
        if job["model"]["output_bias"] == "unigram":
            self._start_at_unigram()
        self.optimiser = self._make_optimiser()
        self.rate = self.settings["lr"]
        self.history = History(folder)
        self.epoch, self.position, self.updates = 1, 0, 0
        self.best, self.finished, self.stopped = math.inf, False, None
        self.waited, self.clip_next = 0, False
        self._start_epoch()
        self._start_sums()

    def _make_optimiser(self):
        if self.settings["optimiser"] == "adam":
            return Adam(self.model.parameters(), self.settings["clip"])
        options = (self.settings[name] for name in ("rho", "eps", "clip", "lag"))
        return AdaDelta(self.model.parameters(), *options)

    def _start_at_unigram(self):
        """Set the output bias to the logarithms of the words' frequencies, none of them 0."""
        words = torch.from_numpy(self.train_data.target.astype("int64"))
        counts = torch.bincount(words, minlength=len(self.corpus.vocabulary)) + 1.0
        self.model.output.bias.data.copy_(torch.log(counts / counts.sum()))

    def start(self):
        """Do what comes before the first step."""
        self.history.rewind([])

    @property
    def progress(self):
        """Where the run stands, in words."""
        return f"epoch {self.epoch}, batch {self.position} of {len(self.order)}"

    def step(self):
        """Train on the next batch; validate when it is time."""
        batch = make_batch(self.train_data, self.order[self.position], self.device)
        source = self.model.encode(batch.source, batch.source_lengths)
        nats, words = self.model.negative_log_likelihood(source, batch.target, batch.target_lengths)
        self.optimiser.zero_grad()
        (nats / len(batch.target_lengths)).backward()
        self.last_rate = self._decayed_rate()
        self.optimiser.step(self.last_rate)
        self.sums += torch.stack([nats.detach(), nats.new_tensor(words)])
        self.position, self.updates = self.position + 1, self.updates + 1
        if self.updates % STEPS_BETWEEN_CHECKS == 0:
            self._check_finite()
            self.history.show(self._epochs_done(), self._share_done(), self._mean_loss())
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

    def _start_sums(self):
        self.sums = torch.zeros(2, device=self.device, dtype=torch.float64)

    def _mean_loss(self):
        return (self.sums[0] / self.sums[1]).item()

    def _epochs_done(self):
        return round(self.epoch - 1 + self.position / len(self.order), 2)

    def _decayed_rate(self):
        if self.schedule["decay"] == "linear":
            return self.rate * (1 - self._share_done())
        return self.rate

    def _share_done(self):
        return self.updates / self.schedule["updates"]

    def _check_finite(self, *values):
        """Raise UserError when the loss or one of ``values`` is NaN or infinite."""
        if not all(torch.as_tensor(v).isfinite().all() for v in (self.sums, *values)):
            raise UserError(
                f"the loss or a weight is not a finite number after {self.updates} updates; the "
                f"last good checkpoint is kept; lower optimisation.lr (now {self.settings['lr']}) "
                "or optimisation.clip and run again"
            )

    def _validate(self):
        self._check_finite()
        self.model.eval()
        loss = nats_per_word(self.model, self.valid_data, VALIDATION_BATCH)
        bleu = self._bleu() if self.schedule["select"] == "bleu" else None
        self.model.train()
        self._check_finite(loss)
        criterion = loss if bleu is None else -bleu
        better = criterion < self.best
        if better:
            self.best = criterion
            save_tensors(self.best_path, self.model.state_dict(), {"job": self.job})
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

    _scalars = (
        "epoch", "position", "updates", "finished", "stopped", "rate", "waited", "clip_next",
    )  # fmt: skip

    def state(self):
        """Return ``(tensors, meta)`` that :meth:`restore` needs to go on bit for bit."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        self._check_finite(*tensors.values())
        tensors |= {f"optimiser.{name}": value for name, value in self.optimiser.state().items()}
        tensors["sums"] = self.sums
        meta = {
            "clip": self.optimiser.clip,
            "history": self.history.epochs,
            # JSON has no infinity: before the first validation there is no best value.
            "best": None if math.isinf(self.best) else self.best,
            **{name: getattr(self, name) for name in self._scalars},
        }
        return tensors, meta

    def restore(self, tensors, meta):
        """Take up the state of a checkpoint."""
        self.model.load_state_dict(part(tensors, "model.", self.device))
        self.optimiser.restore(part(tensors, "optimiser.", self.device))
        self.optimiser.clip = meta["clip"]
        self.sums = tensors["sums"].to(self.device)
        for name in self._scalars:
            setattr(self, name, meta[name])
        self.best = math.inf if meta["best"] is None else meta["best"]
        self._start_epoch()
        self.history.rewind(meta["history"])
