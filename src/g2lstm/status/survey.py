"""The state of every run: done, running, resumable, stale or missing, and why.

A run is done when its record and its evaluations are of today's configuration, corpus and models.
Contents are compared by their hashes, as records hold them; times of files mean nothing.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from g2lstm import plan
from g2lstm.config import complete_job, job_differences, tasks_of, training_job
from g2lstm.errors import UserError
from g2lstm.hashes import FileHashes
from g2lstm.locks import held
from g2lstm.records import read_record
from g2lstm.status.course import Course
from g2lstm.tasks import STAGE_VERSION
from g2lstm.training.folder import CURRENT, LOCK, checkpoint_folder

DONE, RUNNING, RESUMABLE, STALE, MISSING = STATES = (
    "done", "running", "resumable", "stale", "missing",
)  # fmt: skip


@dataclass
class RunStatus:
    """State of a run, notes on it, and how many of its model's records are in which state."""

    run: plan.Run
    state: str
    notes: list
    evaluations: Counter = field(default_factory=Counter)


class Survey:
    """What there is of a configuration in a folder that has ``results/`` and ``paper_tables/``.

    ``runs``: a :class:`RunStatus` each; ``files`` and ``significance``: done and missing files of
    print, and records of the paired test between variants.
    """

    def __init__(self, config, folder="."):
        self.config, self.root = config, Path(folder)
        self.hashes = FileHashes(self.root)
        tasks = tasks_of(config)
        planned = [run for task in tasks for run in plan.runs(config, task)]
        self.expected = plan.expected(config, planned)
        self.sources = {task: self._source_reasons(task) for task in tasks}
        self._hash_at_once(planned)
        found = {}
        for run in planned:
            found[run] = self._run(run, found.get(run.before))
            self._evaluations(found[run])
        self.hashes.save()
        self.runs = list(found.values())
        self.files = self._present(plan.published_files(config, tasks))
        tests = [path for task in tasks for path in plan.significance_records(config, task)]
        self.significance = self._present(tests)

    def _hash_at_once(self, planned):
        trained = [run.model for run in planned if (self.root / run.record).exists()]
        tasks = {run.task for run in planned}
        corpora = [plan.corpus(self.config["preset"], task, "safetensors") for task in tasks]
        self.hashes.prepare(self.root / path for path in (*corpora, *trained))

    def _present(self, paths):
        return Counter(DONE if (self.root / path).exists() else MISSING for path in paths)

    def _run(self, run, before):
        job = training_job(self.config, *run[1:])
        data = {"corpus": self._corpus_hash(run.task)}
        if before is not None:
            data["initial"] = self._model_hash(before.run)
        folder = self._checkpoints(run, job, data)
        trained, reasons = (self.root / run.record).exists(), []
        if trained:
            reasons = self._reasons(run, job, data)
            if before is not None and before.state != DONE:
                reasons.append(f"stage {before.run.stage} is {before.state}")
        notes = [*reasons, *self._other_jobs(run, folder)]
        if folder is not None and held(folder / LOCK):
            course = Course(folder, complete_job(job)["schedule"])
            texts = filter(None, (course.standing(), course.time_left()))
            return RunStatus(run, RUNNING, [", ".join(texts), *course.problems, *notes])
        if trained and not reasons:
            return RunStatus(run, DONE, notes)
        if folder is not None and (folder / CURRENT).exists():
            course = Course(folder, complete_job(job)["schedule"])
            return RunStatus(run, RESUMABLE, [course.standing(), *course.problems, *notes])
        return RunStatus(run, STALE if trained else MISSING, notes)

    def _checkpoints(self, run, job, data):
        """Return the folder that the run has or would have, or None when its input is not there."""
        if None in data.values():
            return None
        return checkpoint_folder(
            self.root / run.model, job, STAGE_VERSION[run.task], *data.values()
        )

    def _other_jobs(self, run, folder):
        """Return notes on processes that train in the same place with other settings or data."""
        locks = (self.root / run.folder).glob(f"ckpt/*/{LOCK}")
        others = sorted(path.parent.name for path in locks if path.parent != folder and held(path))
        return [f"another job of this run is running, in ckpt/{name}" for name in others]

    def _reasons(self, run, job, data):
        """Return why a run's record is not that of today's job, data and model."""
        try:
            record = read_record(self.root / run.record)
        except UserError as error:
            return [str(error)]
        then, inputs = record.get("job", {}), record.get("data", {})
        if (then.get("task"), then.get("stage")) != (run.task, run.stage):
            return [f"{run.record}: not the record of this run; delete it and run again"]
        reasons = list(self.sources[run.task])
        if then != job:
            reasons += job_differences(then, job)
        if record.get("version", STAGE_VERSION[run.task]) != STAGE_VERSION[run.task]:
            reasons.append(
                f"the training code was version {record['version']}, is {STAGE_VERSION[run.task]}"
            )
        if differ(inputs.get("corpus"), data["corpus"]):
            reasons.append("the corpus has changed")
        if differ(inputs.get("initial"), data.get("initial")):
            reasons.append("the model of the stage before has changed")
        if differ(record.get("sha256"), self.hashes.of(self.root / run.model)):
            reasons.append("the model file has changed")
        return reasons

    def _source_reasons(self, task):
        """Return why a task's corpus is not that of today, by its record."""
        try:
            record = read_record(self.root / plan.corpus(self.config["preset"], task, "json"))
        except UserError:
            return []  # it is made, or told, where it is needed
        return plan.record_differences(record, self.expected["tasks"][task])

    def _evaluations(self, status):
        """Count the records of a run's model by their states; note why some are stale."""
        notes = []
        for record in plan.model_records(self.config, status.run):
            if not (self.root / record.path).exists():
                status.evaluations[MISSING] += 1
                continue
            reasons = [] if status.state != DONE else self._record_reasons(status.run, record)
            current = status.state == DONE and not reasons
            status.evaluations[DONE if current else STALE] += 1
            notes += reasons
        status.notes += dict.fromkeys(notes)

    def _record_reasons(self, run, wanted):
        """Return why a record of a done run's model is not that of today."""
        try:
            record = read_record(self.root / wanted.path)
        except UserError as error:
            return [str(error)]
        data = record.get("data", {})
        made_from = data.get("original" if wanted.setting != "original" else "model")
        reasons = []
        if differ(data.get("corpus"), self._corpus_hash(run.task)):
            reasons.append("evaluated on another corpus")
        if differ(made_from, self._model_hash(run)):
            reasons.append("evaluated with another model")
        expected = self.expected["tasks"][run.task]
        return reasons + plan.record_differences(record, expected, wanted.setting)

    def _corpus_hash(self, task):
        """Return the hash of a task's corpus, by its record where there is only that, or None."""
        file, record = (
            plan.corpus(self.config["preset"], task, s) for s in ("safetensors", "json")
        )
        return self.hashes.of(self.root / file) or self._recorded_hash(record)

    def _model_hash(self, run):
        """Return the hash of a run's model, by its record where there is only that, or None."""
        return self.hashes.of(self.root / run.model) or self._recorded_hash(run.record)

    def _recorded_hash(self, path):
        try:
            return read_record(self.root / path).get("sha256")
        except UserError:
            return None  # told where the record itself is judged


def differ(then, now):
    """Return whether two hashes differ; one that is not known does not."""
    return None not in (then, now) and then != now
