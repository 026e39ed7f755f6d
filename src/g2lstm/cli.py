"""Command line: ``python -m g2lstm <verb>``. Each verb makes its files from the files it is given.

Settings come as JSON, so that a rule can hand over just what decides a result. What a verb does
stands in :mod:`g2lstm.verbs`.
"""

import argparse
import json
import os
import sys

from g2lstm import verbs as work
from g2lstm.config import read_schema
from g2lstm.errors import UserError, explain
from g2lstm.paper.expected import require_expected


def main(arguments=None):
    """Run a verb; return 0, 2 for a problem the user can mend, 75 for an interrupted run."""
    options = _parser().parse_args(arguments)
    try:
        if "expected" in options:
            require_expected(options.records, options.trainings, options.expected)
        code = options.run(options) or 0
        sys.stdout.flush()
        return code
    except UserError as error:
        message = str(error)
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # takes what is left
        return 141  # as of a process that SIGPIPE ended
    except OSError as error:
        message = f"{error.filename}: {explain(error)}" if error.filename else explain(error)
    except ModuleNotFoundError as error:
        if error.name.startswith("g2lstm"):
            raise
        message = f"{error}; install requirements.txt, or let conda: snakemake --use-conda"
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        message = "out of memory; use a smaller model or batch, or a larger machine"
    except KeyboardInterrupt:
        print(f"g2lstm {options.verb}: interrupted", file=sys.stderr)
        return 130
    print(f"g2lstm {options.verb}: error: {message}", file=sys.stderr)
    return 2


def _out_of_memory(error):
    """Tell whether Python, NumPy or PyTorch, on whatever device, ran out of memory."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or "can't allocate" in str(error)


def _parser():
    parser = argparse.ArgumentParser(prog="g2lstm", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
    for add in (_add_status_verb, _add_data_verbs, _add_model_verbs, _add_paper_verbs):
        add(verbs)
    return parser


def _verb(verbs, name, run, summary):
    parser = verbs.add_parser(name, help=summary, description=summary)
    parser.set_defaults(run=run)
    return parser


def _add_status_verb(verbs):
    verb = _verb(verbs, "status", work.status, "Show the state of all runs of a configuration.")
    verb.add_argument("--config", default="config.yaml", help="the file that a user edits")
    verb.add_argument("--preset", help="instead of the one of the file")
    verb.add_argument("--directory", default=".", help="folder with results/ and paper_tables/")


def _add_data_verbs(verbs):
    verb = _verb(verbs, "fetch", work.fetch, "Download a data set, or copy it from a mirror.")
    verb.add_argument("--dataset", required=True, help="name in resources/datasets.yaml")
    verb.add_argument("--mirror", help="folder asked before the network")
    verb.add_argument("--record", required=True, help="output; the files go beside it")

    verb = _verb(
        verbs, "prepare", work.prepare, "Make the corpus of a language model or classifier."
    )
    verb.add_argument("--task", required=True)
    verb.add_argument("--source", required=True, type=json.loads, help="JSON: corpus, synthetic")
    verb.add_argument("--raw", nargs="?", help="record of the fetched data set")
    verb.add_argument("--corpus", required=True, help="output")
    verb.add_argument("--record", required=True, help="output")

    verb = _verb(verbs, "prepare-translation", work.prepare_translation, "Make a parallel corpus.")
    verb.add_argument("--source", required=True, type=json.loads, help="JSON: task, corpus, bpe")
    verb.add_argument("--raw", nargs="?", help="record of the fetched data set")
    verb.add_argument("--folder", required=True, help="output")

    _verb(verbs, "document", work.document, "Print docs/configuration.md, made from the schema.")


def _add_model_verbs(verbs):
    verb = _verb(verbs, "train", work.train, "Train or finetune a model; resumes by itself.")
    verb.add_argument("--job", required=True, type=json.loads, help="JSON: what decides the result")
    verb.add_argument("--labels", required=True, type=json.loads, help="JSON: preset and variant")
    verb.add_argument("--corpus", required=True)
    verb.add_argument("--initial", nargs="?", help="model to finetune")
    verb.add_argument("--model", required=True, help="output; checkpoints go to ckpt/ beside it")
    verb.add_argument("--record", required=True, help="output")
    verb.add_argument("--checkpoint-minutes", type=float, default=5)
    verb.add_argument("--time-budget", type=float, help="minutes after which to save and stop")
    kernels = read_schema()["properties"]["kernel"]["enum"]
    verb.add_argument("--kernel", default="auto", choices=kernels, help="of the recurrence")
    _add_machine(verb)

    verb = _verb(verbs, "evaluate", work.evaluate, "Perplexity of a model with and without cache.")
    _add_result(verb)
    _add_compression(verb)
    verb.add_argument("--splits", required=True, nargs="+", choices=["valid", "test"])
    verb.add_argument("--plain", required=True, nargs="+", help="output: records without cache")
    verb.add_argument("--cache", required=True, nargs="+", help="output: records with cache")

    verb = _verb(verbs, "export", work.export, "Make a sparse model small; its quality.")
    _add_result(verb)
    verb.add_argument("--exported", required=True, help="output: the small model")
    verb.add_argument("--record", required=True, help="output")

    verb = _verb(verbs, "speed", work.speed, "Time an exported model beside the dense one.")
    verb.add_argument("--model", required=True)
    verb.add_argument("--exported", required=True)
    verb.add_argument("--corpus", required=True)
    verb.add_argument("--labels", required=True, type=json.loads, help="JSON: what it is of")
    verb.add_argument("--record", required=True, help="output")
    _add_machine(verb)

    verb = _verb(verbs, "lags", work.lags, "Gradients of an exported model over the time lag.")
    verb.add_argument("--model", required=True)
    verb.add_argument("--exported", required=True)
    verb.add_argument("--corpus", required=True)
    verb.add_argument("--labels", required=True, type=json.loads, help="JSON: what it is of")
    verb.add_argument("--record", required=True, help="output")
    _add_machine(verb)

    verb = _verb(verbs, "translate", work.translate, "BLEU of a translation model.")
    _add_result(verb)
    _add_compression(verb)
    verb.add_argument("--references", required=True, help="folder of the prepared corpus")
    verb.add_argument("--record", required=True, nargs="+", help="output: one a model")
    verb.add_argument("--translations", required=True, nargs="+", help="output: the texts")

    verb = _verb(verbs, "significance", work.significance, "Paired bootstrap between models.")
    verb.add_argument("--records", required=True, nargs="+", help="of translate, one a variant")
    verb.add_argument("--translations", required=True, nargs="+", help="in the same order")
    verb.add_argument("--references", required=True, help="folder of the prepared corpus")
    verb.add_argument("--labels", required=True, type=json.loads, help="JSON: preset, task, seed")
    verb.add_argument("--samples", required=True, type=int, help="of the bootstrap")
    verb.add_argument("--record", required=True, help="output")

    verb = _verb(verbs, "gates", work.gates, "Record the gate values of a model.")
    _add_result(verb)
    verb.add_argument("--record", required=True, help="output")


def _add_result(verb):
    verb.add_argument("--model", required=True)
    verb.add_argument("--corpus", required=True)
    verb.add_argument(
        "--labels", required=True, type=json.loads, help="JSON: what the result is of"
    )
    verb.add_argument("--settings", required=True, type=json.loads, help="JSON: how to evaluate")
    _add_machine(verb)


def _add_compression(verb):
    verb.add_argument(
        "--compressions", type=json.loads, help="JSON: name -> setting; compress at each, evaluate"
    )
    verb.add_argument(
        "--compressed", nargs="+", default=[], help="output: models, in the order of the settings"
    )


def _add_machine(verb):
    verb.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    verb.add_argument("--threads", type=int, help="CPU threads")


def _add_paper_verbs(verbs):
    verb = _verb(verbs, "aggregate", work.aggregate, "Collect records into one tidy CSV.")
    _add_records(verb, "of one task")
    verb.add_argument("--summary", required=True, help="output")
    verb.add_argument("--provenance", required=True, help="output: commit, device ... of each")

    verb = _verb(verbs, "table", work.table, "Make a table as .tex, .csv, .md and .png.")
    verb.add_argument("--table", required=True, help="such as table3, tableS1, sparse_pruning")
    verb.add_argument("--provenance", required=True, nargs="+", help="CSV of aggregate")
    verb.add_argument("--stem", required=True, help="output without suffix")
    _add_summary(verb)

    verb = _verb(verbs, "learning-curve", work.learning_curve, "Draw the course of a run.")
    _add_records(verb, "of train and finetune")
    verb.add_argument("--stem", required=True, help="output without suffix")
    _add_layout(verb)

    verb = _verb(verbs, "curve", work.curve, "Draw perplexity over rank or rounding step.")
    verb.add_argument("--over", required=True, choices=["rank", "rounding"])
    verb.add_argument("--stem", required=True, help="output without suffix")
    _add_summary(verb)

    verb = _verb(verbs, "gate-histograms", work.gate_histograms, "Draw the gates of one layer.")
    verb.add_argument("--variant", required=True)
    verb.add_argument("--layer", required=True, help="as recorded, such as decoder.0.first")
    _add_gate_figure(verb)

    verb = _verb(verbs, "layer-histograms", work.layer_histograms, "Draw the gates of all layers.")
    verb.add_argument("--part", required=True, help="of the model: lstm, encoder, decoder")
    _add_gate_figure(verb)

    verb = _verb(verbs, "heat-maps", work.heat_maps, "Draw the gates word by word.")
    verb.add_argument("--sentences", required=True, type=int, nargs=2, help="first and last")
    _add_gate_figure(verb)

    for name, run, summary in (
        ("gate-maps", work.gate_maps, "Draw which gates of sparse models are constant."),
        ("gradient-lags", work.gradient_lags, "Draw gradients over the time lag."),
    ):
        verb = _verb(verbs, name, run, summary)
        _add_gate_figure(verb)

    verb = _verb(verbs, "saturation", work.saturation, "Draw the sketch of a saturated sigmoid.")
    verb.add_argument("--stem", required=True, help="output without suffix")
    _add_layout(verb)

    verb = _verb(verbs, "comparison", work.comparison, "Set every cell beside print.")
    verb.add_argument("--paper", required=True, help="as in resources/published.yaml")
    verb.add_argument("--output", required=True)
    _add_summary(verb)

    verb = _verb(verbs, "claims", work.claims, "Judge a paper's claims on our numbers.")
    verb.add_argument("--paper", required=True, help="as in resources/claims.yaml")
    verb.add_argument("--output", required=True)
    _add_summary(verb)

    verb = _verb(verbs, "page", work.page, "Show comparison.md or claims.md in a browser.")
    verb.add_argument("--text", required=True, help="Markdown")
    verb.add_argument("--page", required=True, help="output: HTML")

    verb = _verb(verbs, "paper", work.paper, "Compile all tables and figures into one PDF.")
    verb.add_argument("--files", required=True, nargs="+", help=".tex and .pdf, in their order")
    verb.add_argument("--output", required=True)
    _add_layout(verb)


def _add_summary(verb):
    verb.add_argument("--summary", required=True, nargs="+", help="CSV of aggregate, one a task")
    _add_layout(verb)


def _add_gate_figure(verb):
    _add_records(verb, "gates.json of all variants, or evaluations of sparse models")
    verb.add_argument("--stem", required=True, help="output without suffix")
    _add_layout(verb)


def _add_records(verb, about):
    verb.add_argument("--records", required=True, nargs="+", help=about)
    verb.add_argument("--trainings", required=True, nargs="+", help="records of the training runs")
    verb.add_argument("--expected", required=True, type=json.loads, help="JSON: today's settings")


def _add_layout(verb):
    verb.add_argument("--layout", required=True, type=json.loads, help="JSON: labels and columns")
