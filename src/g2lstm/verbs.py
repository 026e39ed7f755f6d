"""What each verb of the command line does with its options.

Heavy modules are imported by the verb that needs them.
"""

import os
import sys
from pathlib import Path

from g2lstm.config import ROOT
from g2lstm.errors import UserError
from g2lstm.tasks import SPARSE

PUBLISHED = ROOT / "resources" / "published.yaml"
CLAIMS = ROOT / "resources" / "claims.yaml"
DATASETS = ROOT / "resources" / "datasets.yaml"


def status(options):
    """Print the state of all runs."""
    from g2lstm.config import resolve
    from g2lstm.status.report import report
    from g2lstm.status.survey import Survey
    from g2lstm.yaml_files import read_config

    config = resolve(read_config(options.config), options.preset)
    print("\n".join(report(Survey(config, options.directory))))


def fetch(options):
    """Download a data set, or copy it from a mirror; write its record."""
    from g2lstm.data.fetch import fetch
    from g2lstm.records import file_sha256, write_record

    folder = Path(options.record).parent
    paths = fetch(options.dataset, folder, DATASETS, options.mirror)
    hashes = {Path(path).name: file_sha256(path) for path in paths}
    write_record(options.record, {"kind": "dataset", "dataset": options.dataset, "files": hashes})


def prepare(options):
    """Make the corpus of a language model or of a classifier of texts."""
    if SPARSE.get(options.task) == "text":
        from g2lstm.data.prepare_texts import prepare_texts as write_corpus
    else:
        from g2lstm.data.prepare import prepare_language_model as write_corpus

    raw = Path(options.raw).parent if options.raw else None
    write_corpus(options.source, options.corpus, options.record, raw, options.task)


def prepare_translation(options):
    """Make the parallel corpus of a translation task."""
    from g2lstm.data.prepare import prepare_translation

    raw = Path(options.raw).parent if options.raw else None
    prepare_translation(options.source, options.folder, DATASETS, raw)


def document(options):
    """Print the configuration page."""
    from g2lstm.manual import configuration_page

    print(configuration_page(), end="")


def train(options):
    """Train or finetune a model; return 75 when the run was interrupted and saved."""
    from g2lstm import stages
    from g2lstm.training.loop import EXIT_INTERRUPTED, Interrupted

    try:
        stages.train(
            options.job, options.labels, options.corpus, options.model, options.record,
            options.initial, options.device, options.kernel, options.threads,
            options.checkpoint_minutes, options.time_budget,
        )  # fmt: skip
    except Interrupted as interrupted:
        print(f"{interrupted}; the same command goes on from there", file=sys.stderr)
        return EXIT_INTERRUPTED


def evaluate(options):
    """Write the records of a language model, or of its compressed forms, with and without cache."""
    _limit_blas(options.threads)

    from g2lstm import stages

    for model, labels, made_from, plain, cache in _models(options, options.plain, options.cache):
        stages.evaluate(
            model, options.corpus, labels, options.settings, options.splits,
            {"plain": plain, "cache": cache}, options.device, options.threads, made_from,
        )  # fmt: skip


def export(options):
    """Write the small model of a sparse one and its record."""
    from g2lstm.sparsify import stages

    stages.export(
        options.model, options.corpus, options.labels, options.settings, options.exported,
        options.record, options.device, options.threads,
    )  # fmt: skip


def speed(options):
    """Write the record of how fast an exported model is."""
    from g2lstm.sparsify import stages

    stages.measure_speed(
        options.model, options.exported, options.corpus, options.labels, options.record,
        options.device, options.threads,
    )  # fmt: skip


def lags(options):
    """Write the record of gradients over the time lag."""
    from g2lstm.sparsify import stages

    stages.record_lags(
        options.model, options.exported, options.corpus, options.labels, options.record,
        options.device, options.threads,
    )  # fmt: skip


def translate(options):
    """Write records and translations of a translation model, or of its compressed forms."""
    _limit_blas(options.threads)

    from g2lstm import stages

    outputs = options.record, options.translations
    for model, labels, made_from, record, text in _models(options, *outputs):
        stages.translate(
            model, options.corpus, options.references, labels, options.settings,
            record, text, options.device, options.threads, made_from,
        )  # fmt: skip


def _limit_blas(threads):
    """Bind NumPy's BLAS to so many threads: it reads these once, when NumPy is imported."""
    if threads:
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[variable] = str(threads)


def _models(options, *outputs):
    """Compress a model at each of the settings, if any.

    Yield model, labels, the hash of the model that it was made from (None: it is the original), and
    its outputs.
    """
    from g2lstm.compress.model_file import compress_model
    from g2lstm.records import file_sha256

    if options.compressions is None:
        outputs = (files[0] for files in outputs)
        yield options.model, {**options.labels, "setting": "original"}, None, *outputs
        return
    made_from = file_sha256(options.model)
    settings = options.compressions.items()
    for (name, setting), *files in zip(settings, options.compressed, *outputs, strict=True):
        if not all(Path(file).name.startswith(f"{name}.") for file in files):
            raise UserError(f"{files[0]}: not named after {name}; give files in order of settings")
        compress_model(options.model, name, setting, files[0])
        yield files[0], {**options.labels, "setting": name}, made_from, *files[1:]


def significance(options):
    """Write the paired bootstrap between the models of one task and seed."""
    from g2lstm import stages

    stages.significance(
        options.records, options.translations, options.references, options.labels,
        options.samples, options.record,
    )  # fmt: skip


def gates(options):
    """Write the record of a model's gate values."""
    from g2lstm import stages

    stages.record_gates(
        options.model, options.corpus, options.labels, options.settings, options.record,
        options.device, options.threads,
    )  # fmt: skip


def aggregate(options):
    """Write one tidy CSV out of records, and one of where they come from."""
    from g2lstm.paper.aggregate import aggregate, write_summary
    from g2lstm.paper.provenance import write_provenance_table

    write_summary(aggregate(options.records), options.summary)
    write_provenance_table([*options.records, *options.trainings], options.provenance)


def table(options):
    """Write a table."""
    from g2lstm.paper.tables import write_table

    write_table(
        options.table, options.summary, options.provenance, PUBLISHED, options.layout,
        options.stem,
    )  # fmt: skip


def learning_curve(options):
    """Draw the course of a run."""
    from g2lstm.paper.figures import write_learning_curve

    write_learning_curve(options.records, options.layout, options.stem)


def curve(options):
    """Draw perplexity over rank or rounding step."""
    from g2lstm.paper import figures

    draw = {"rank": figures.write_rank_curve, "rounding": figures.write_rounding_curve}
    draw[options.over](options.summary, options.layout, options.stem)


def gate_histograms(options):
    """Draw the gates of one layer."""
    from g2lstm.paper.gate_figures import write_histograms

    write_histograms(options.records, options.layout, options.stem, options.layer, options.variant)


def layer_histograms(options):
    """Draw the gates of all layers of a part."""
    from g2lstm.paper.gate_figures import write_layer_histograms

    write_layer_histograms(options.records, options.layout, options.stem, options.part)


def heat_maps(options):
    """Draw the gates word by word."""
    from g2lstm.paper.heat_maps import write_heat_maps

    first, last = options.sentences
    write_heat_maps(options.records, options.layout, options.stem, slice(first - 1, last))


def gate_maps(options):
    """Draw which gates of sparse models are constant."""
    from g2lstm.paper.sparse_figures import write_gate_maps

    write_gate_maps(options.records, options.layout, options.stem)


def gradient_lags(options):
    """Draw gradients over the time lag."""
    from g2lstm.paper.sparse_figures import write_gradient_lags

    write_gradient_lags(options.records, options.layout, options.stem)


def saturation(options):
    """Draw the sketch of a saturated sigmoid."""
    from g2lstm.paper.saturation import write_saturation_sketch

    write_saturation_sketch(options.layout, options.stem)


def comparison(options):
    """Write comparison.md."""
    from g2lstm.paper.comparison import write_comparison

    write_comparison(options.summary, PUBLISHED, options.layout, options.output, options.paper)


def claims(options):
    """Write claims.md."""
    from g2lstm.paper.claims import write_claims

    write_claims(options.summary, PUBLISHED, CLAIMS, options.layout, options.output, options.paper)


def page(options):
    """Write a Markdown file as a page for the browser."""
    from g2lstm.paper.page import write_page

    write_page(options.text, options.page)


def paper(options):
    """Compile all tables and figures into one PDF."""
    from g2lstm.paper.document import write_document

    write_document(options.files, options.layout, options.output)
