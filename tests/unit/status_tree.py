"""A made-up tree of results: records, histories and small files in place of models."""

import json

from g2lstm import config, plan
from g2lstm.records import file_sha256, write_record
from g2lstm.tasks import STAGE_VERSION, TRANSLATION
from g2lstm.training.folder import CURRENT, HISTORY, checkpoint_folder


class Tree:
    """Results of a configuration under ``root``, as the pipeline writes them."""

    def __init__(self, root, settings):
        self.root, self.settings = root, settings
        tasks = config.tasks_of(settings)
        self.runs = [run for task in tasks for run in plan.runs(settings, task)]
        for task in tasks:
            self.write(self.corpus(task), f"corpus of {task}")

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def corpus(self, task):
        return plan.corpus(self.settings["preset"], task, "safetensors")

    def hash(self, path):
        return file_sha256(self.root / path)

    def job(self, run):
        return config.training_job(self.settings, *run[1:])

    def inputs(self, run):
        data = {"corpus": self.hash(self.corpus(run.task))}
        return data | ({"initial": self.hash(run.before.model)} if run.before else {})

    def finish(self, run, epochs=1):
        self.train(run, epochs)
        for record in plan.model_records(self.settings, run):
            self.evaluate(run, record)

    def train(self, run, epochs=1):
        self.write(run.model, f"model of {run}")
        history = [entry(run, number) for number in range(1, epochs + 1)]
        record = {"kind": "training", "job": self.job(run), "data": self.inputs(run)}
        record |= {"version": STAGE_VERSION[run.task], "sha256": self.hash(run.model)}
        write_record(self.root / run.record, {**record, "history": history})

    def evaluate(self, run, record):
        data = {"corpus": self.hash(self.corpus(run.task)), "model": self.hash(run.model)}
        settings = plan.gate_settings if record.mode == plan.GATES else plan.evaluation_settings
        kind = plan.GATES if record.mode == plan.GATES else "evaluation"
        facts = {"kind": kind, "evaluation": settings(self.settings, run.task), "data": data}
        if record.setting != "original":
            setting = self.settings[run.task]["settings"][record.setting]
            facts["compression"] = {"setting": record.setting, **setting}
            data |= {"model": "of the compressed file", "original": data["model"]}
        write_record(self.root / record.path, facts)

    def folder(self, run):
        version = STAGE_VERSION[run.task]
        hashes = self.inputs(run).values()
        return checkpoint_folder(self.root / run.model, self.job(run), version, *hashes)

    def begin(self, run, validations):
        """Write a checkpoint and a history; return their folder."""
        folder = self.folder(run)
        lines = [json.dumps(entry(run, number)) + "\n" for number in range(1, validations + 1)]
        self.write(folder / CURRENT, "checkpoint")
        self.write(folder / HISTORY, "".join(lines))
        return folder


def entry(run, number):
    """A line of the history of a run; every validation takes 90 seconds."""
    place = {"epoch": number}
    if run.task in TRANSLATION:
        place = {"epoch": 0.5, "updates": 5000 * number}
    return {**place, "valid_perplexity": 100.0 - number, "seconds": 90.0, "best": True}
