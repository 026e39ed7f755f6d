"""Command line: ``python -m g2lstm <verb>``. Each verb makes its files from the files it is given.

Settings come as JSON, so that a rule can hand over just what decides a result. Heavy modules are
imported by the verb that needs them.
"""

import argparse
import json
import os
import sys

from g2lstm.config import ROOT
from g2lstm.errors import UserError

PUBLISHED = ROOT / "resources" / "published.yaml"
CLAIMS = ROOT / "resources" / "claims.yaml"
DATASETS = ROOT / "resources" / "datasets.yaml"


def main(arguments=None):
    """Run a verb; return 0, 2 for a problem the user can mend, 75 for an interrupted run."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except UserError as error:
        print(f"g2lstm {options.verb}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"g2lstm {options.verb}: interrupted", file=sys.stderr)
        return 130


def _parser():
    parser = argparse.ArgumentParser(prog="g2lstm", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
    for add in (_add_data_verbs, _add_model_verbs, _add_paper_verbs):
        add(verbs)
    return parser


def _verb(verbs, name, run, summary):
    parser = verbs.add_parser(name, help=summary, description=summary)
    parser.set_defaults(run=run)
    return parser


def _add_data_verbs(verbs):
    verb = _verb(verbs, "fetch", _fetch, "Download a data set, or copy it from a mirror.")
    verb.add_argument("--dataset", required=True, help="name in resources/datasets.yaml")
    verb.add_argument("--mirror", help="folder asked before the network")
    verb.add_argument("--record", required=True, help="output; the files go beside it")

    verb = _verb(verbs, "prepare", _prepare, "Make the corpus of the language model.")
    verb.add_argument("--source", required=True, type=json.loads, help="JSON: corpus, synthetic")
    verb.add_argument("--raw", nargs="?", help="record of the fetched data set")
    verb.add_argument("--corpus", required=True, help="output")
    verb.add_argument("--record", required=True, help="output")

    _verb(verbs, "document", _document, "Print docs/configuration.md, made from the schema.")


def _add_model_verbs(verbs):
    verb = _verb(verbs, "train", _train, "Train or finetune a model; resumes by itself.")
    verb.add_argument("--job", required=True, type=json.loads, help="JSON: what decides the result")
    verb.add_argument("--labels", required=True, type=json.loads, help="JSON: preset and variant")
    verb.add_argument("--corpus", required=True)
    verb.add_argument("--initial", nargs="?", help="model to finetune")
    verb.add_argument("--model", required=True, help="output; checkpoints go to ckpt/ beside it")
    verb.add_argument("--record", required=True, help="output")
    verb.add_argument("--checkpoint-minutes", type=float, default=5)
    verb.add_argument("--time-budget", type=float, help="minutes after which to save and stop")
    _add_machine(verb)

    verb = _verb(verbs, "compress", _compress, "Compress the input and forget gates of a model.")
    verb.add_argument("--model", required=True)
    verb.add_argument("--name", required=True, help="name of the setting")
    verb.add_argument("--setting", required=True, type=json.loads, help="JSON: method, parameters")
    verb.add_argument("--output", required=True)
    verb.add_argument("--threads", type=int)

    verb = _verb(verbs, "evaluate", _evaluate, "Perplexity of a model with and without cache.")
    verb.add_argument("--model", required=True)
    verb.add_argument("--corpus", required=True)
    verb.add_argument(
        "--labels", required=True, type=json.loads, help="JSON: what the result is of"
    )
    verb.add_argument("--settings", required=True, type=json.loads, help="JSON: lm.evaluation")
    verb.add_argument("--splits", required=True, nargs="+", choices=["valid", "test"])
    verb.add_argument("--plain", required=True, help="output: record without cache")
    verb.add_argument("--cache", required=True, help="output: record with cache")
    _add_machine(verb)


def _add_machine(verb):
    verb.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    verb.add_argument("--threads", type=int, help="CPU threads")


def _add_paper_verbs(verbs):
    verb = _verb(verbs, "aggregate", _aggregate, "Collect records into one tidy CSV.")
    verb.add_argument("--records", required=True, nargs="+")
    verb.add_argument("--summary", required=True, help="output")

    verb = _verb(verbs, "table", _table, "Make a table as .tex, .csv, .md and .png.")
    verb.add_argument("--number", required=True, type=int)
    verb.add_argument("--stem", required=True, help="output without suffix")
    _add_summary(verb)

    verb = _verb(verbs, "learning-curve", _learning_curve, "Draw the course of a run.")
    verb.add_argument("--records", required=True, nargs="+", help="of train and finetune")
    verb.add_argument("--stem", required=True, help="output without suffix")
    _add_layout(verb)

    verb = _verb(verbs, "curve", _curve, "Draw perplexity over rank or rounding step.")
    verb.add_argument("--over", required=True, choices=["rank", "rounding"])
    verb.add_argument("--stem", required=True, help="output without suffix")
    _add_summary(verb)

    verb = _verb(verbs, "comparison", _comparison, "Set every cell beside print.")
    verb.add_argument("--output", required=True)
    _add_summary(verb)

    verb = _verb(verbs, "claims", _claims, "Judge the paper's claims on our numbers.")
    verb.add_argument("--output", required=True)
    _add_summary(verb)


def _add_summary(verb):
    verb.add_argument("--summary", required=True, help="CSV of aggregate")
    _add_layout(verb)


def _add_layout(verb):
    verb.add_argument("--layout", required=True, type=json.loads, help="JSON: labels and columns")


def _fetch(options):
    from pathlib import Path

    from g2lstm.data.fetch import fetch
    from g2lstm.records import file_sha256, write_record

    folder = Path(options.record).parent
    paths = fetch(options.dataset, folder, DATASETS, options.mirror)
    hashes = {Path(path).name: file_sha256(path) for path in paths}
    write_record(options.record, {"kind": "dataset", "dataset": options.dataset, "files": hashes})


def _prepare(options):
    from pathlib import Path

    from g2lstm.data.prepare import prepare_language_model

    prepare_language_model(
        options.source["corpus"],
        options.corpus,
        options.record,
        raw_dir=Path(options.raw).parent if options.raw else None,
        synthetic=options.source.get("synthetic"),
    )


def _document(options):
    from g2lstm.manual import configuration_page

    print(configuration_page(), end="")


def _train(options):
    from g2lstm import stages
    from g2lstm.training.loop import EXIT_INTERRUPTED, Interrupted

    try:
        stages.train(
            options.job, options.labels, options.corpus, options.model, options.record,
            options.initial, options.device, options.threads, options.checkpoint_minutes,
            options.time_budget,
        )  # fmt: skip
    except Interrupted as interrupted:
        print(f"{interrupted}; the same command goes on from there", file=sys.stderr)
        return EXIT_INTERRUPTED


def _compress(options):
    if options.threads:
        # NumPy's BLAS reads these once, when it is imported.
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[variable] = str(options.threads)

    from g2lstm.compress.model_file import compress_model

    compress_model(options.model, options.name, options.setting, options.output)


def _evaluate(options):
    from g2lstm import stages

    stages.evaluate(
        options.model, options.corpus, options.labels, options.settings, options.splits,
        {"plain": options.plain, "cache": options.cache}, options.device, options.threads,
    )  # fmt: skip


def _aggregate(options):
    from g2lstm.paper.aggregate import aggregate, write_summary

    write_summary(aggregate(options.records), options.summary)


def _table(options):
    from g2lstm.paper.tables import write_table

    write_table(options.number, options.summary, PUBLISHED, options.layout, options.stem)


def _learning_curve(options):
    from g2lstm.paper.figures import write_learning_curve

    write_learning_curve(options.records, options.layout, options.stem)


def _curve(options):
    from g2lstm.paper import figures

    draw = {"rank": figures.write_rank_curve, "rounding": figures.write_rounding_curve}
    draw[options.over](options.summary, options.layout, options.stem)


def _comparison(options):
    from g2lstm.paper.comparison import write_comparison

    write_comparison(options.summary, PUBLISHED, options.layout, options.output)


def _claims(options):
    from g2lstm.paper.claims import write_claims

    write_claims(options.summary, PUBLISHED, CLAIMS, options.layout, options.output)
