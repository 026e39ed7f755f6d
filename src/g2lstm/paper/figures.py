"""Learning curves of every task, and the language model's perplexity over the compression.

The compression figures show the settings of Tables 7 (rank) and 6 (rounding step) of Li et al.
(2018), with our numbers only; the level of the uncompressed model is a thin dashed line.
"""

import math
import textwrap

from matplotlib import pyplot as plt
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, ScalarFormatter

from g2lstm.config import complete_job
from g2lstm.errors import UserError
from g2lstm.paper.aggregate import read_summaries
from g2lstm.paper.cells import VARIANTS, corpora_text, measured_cells, resolve_columns, scale
from g2lstm.paper.style import COLUMN_WIDTH, LINES, SPARSE_LINES, STYLE, save
from g2lstm.records import read_record
from g2lstm.tasks import SPARSE, TRANSLATION

OF_KIND = {"characters": "characters", "text": "classes"}
UNITS = dict.fromkeys(TRANSLATION, "sub-words") | {  # of a task's perplexity, where not words
    task: OF_KIND[kind] for task, kind in SPARSE.items() if kind in OF_KIND
}


def write_learning_curve(record_paths, layout, stem):
    """Write training and validation perplexity over the epochs of one run, as PNG and PDF.

    Perplexity is that of words for language models, of sub-words for translation, and of characters
    for the model of these: 2 to the power of their bits per character; that of classes, for a
    classifier of texts, is the exponential of its loss.
    ``record_paths`` are the run's ``training`` records: the first stage, and the finetuning if it
    was done, in any order. Raises UserError when they belong to several runs.
    """
    records = sorted(
        (read_record(path) for path in record_paths), key=lambda record: record["stage"] != "train"
    )
    _require_one_run(records)
    task = records[0]["task"]
    label = f"{layout['corpora'][task]}; {scale(layout, [task])}"
    for suffix in (".png", ".pdf"):
        with plt.rc_context(STYLE):
            save(_learning_curve(records, label), f"{stem}{suffix}")


def write_rank_curve(summary_paths, layout, stem):
    """Write test perplexity with cache over the rank of the gates (Table 7), as PNG and PDF."""
    _write_setting_curve("table7", "k", "Rank of the gate matrices", summary_paths, layout, stem)


def write_rounding_curve(summary_paths, layout, stem):
    """Write test perplexity with cache over rounding step and clip (Table 6), as PNG and PDF."""
    _write_setting_curve("table6", "r", "Rounding step r, clip c", summary_paths, layout, stem)


def _require_one_run(records):
    runs = {
        tuple(record[name] for name in ("kind", "preset", "task", "variant", "seed"))
        for record in records
    }
    stages = [record["stage"] for record in records]
    if len(runs) != 1 or next(iter(runs))[0] != "training" or stages[:1] != ["train"]:
        raise UserError(
            "a learning curve takes the training records of one run, from its first stage"
        )
    if stages[1:] not in ([], ["finetune"]):
        raise UserError("a learning curve takes one record of each stage: train, finetune")


def _learning_curve(records, label):
    """Draw the history of one run; the epochs of the finetuning follow those of the training."""
    figure, axes = plt.subplots(figsize=(COLUMN_WIDTH, 2.3), layout="constrained")
    name, colour, _ = (LINES | SPARSE_LINES)[records[0]["variant"]]
    before = records[0]["history"][-1]["epoch"]
    history = [entry for record in records for entry in record["history"]]
    epochs = [
        entry["epoch"] + (before if record["stage"] == "finetune" else 0)
        for record in records
        for entry in record["history"]
    ]
    train = [math.exp(epoch["train_loss"]) for epoch in history]
    valid = [epoch["valid_perplexity"] for epoch in history]
    training = "Training (with dropout)" if _has_dropout(records[0]["job"]) else "Training"
    axes.plot(epochs, train, color="#777777", lw=1.0, label=training)
    axes.plot(epochs, valid, color=colour, label="Validation")
    switch = next((e["epoch"] for e in records[0]["history"] if e["averaged"]), None)
    half = epochs[0] / 2  # of the distance between two points
    if switch:
        axes.axvline(switch - half, color="black", lw=0.8, ls=":", label="Switch to averaging")
    if epochs[-1] > before:
        edges = before + half, epochs[-1] + half
        axes.axvspan(*edges, color="#f0e442", alpha=0.25, lw=0, label="Finetuning")
    units = UNITS.get(records[0]["task"])
    ylabel = f"Perplexity of {units}" if units else "Perplexity"
    axes.set(xlabel="Epoch", ylabel=ylabel, yscale="log")
    axes.set_xlim(epochs[0] - half, epochs[-1] + half)
    _title(axes, f"{name}, seed {records[0]['seed']}; {label}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    _label_log_axis(axes.yaxis, min(train + valid), max(train + valid))
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _has_dropout(job):
    """Return whether a run drops anything, by the ``job`` of its record, without defaults there."""
    model = complete_job(job)["model"]
    dropout = model.get("dropout", 0.0)
    rates = list(dropout.values()) if isinstance(dropout, dict) else [dropout]
    return any(rate > 0 for rate in [*rates, model.get("readout_dropout", 0.0)])


def _title(axes, text):
    """Say what scale the numbers are of, so that a figure of a reduced preset is not mistaken."""
    axes.set_title(textwrap.fill(text, 56), fontsize=7, loc="left", color="#444444")


def _label_log_axis(axis, low, high):
    """Put about five round numbers on a logarithmic axis that may cover less than a decade."""
    ratio = high / low
    if ratio > 8:
        steps = (1, 2, 5)
    else:  # 80, 90 and 100 would stand on each other where there is room for more than 4 times low
        steps = (1, 1.5, 2, 3, 5, 7) if ratio > 4 else (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10**n for n in decades for step in steps]
    few = sum(low <= tick <= high for tick in ticks) < 3  # 1.1 to 1.9 has but one
    axis.set_major_locator(MaxNLocator(5) if ratio < 1.6 or few else FixedLocator(ticks))
    axis.set_minor_locator(FixedLocator([]))
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_formatter(NullFormatter())


def _write_setting_curve(table_id, parameter, xlabel, summary_paths, layout, stem):
    summary = read_summaries(summary_paths)
    settings, labels = {}, {}
    for column_id, column in resolve_columns(table_id, layout).items():
        if not column.slugs:
            continue
        slug = column.slugs["lm"]
        setting = layout["settings"]["lm"][slug]
        if parameter not in setting:
            raise UserError(f"{table_id}.{column_id}: setting {slug} has no parameter {parameter}")
        settings[column_id] = value = setting[parameter]
        labels[value] = f"{value:g}, {setting['c']:g}" if "c" in setting else f"{value:g}"
    cells = measured_cells(table_id, summary, layout)
    if not any((row_id, column_id) in cells for row_id in VARIANTS for column_id in settings):
        raise UserError(f"no run has a setting of {table_id}; nothing to draw in {stem}")
    for suffix in (".png", ".pdf"):
        with plt.rc_context(STYLE):
            figure = _setting_curve(cells, settings, xlabel, labels, ranks=parameter == "k")
            _title(figure.axes[0], f"{corpora_text(layout, ['lm'])}; {scale(layout, ['lm'])}")
            save(figure, f"{stem}{suffix}")


def _setting_curve(cells, settings, xlabel, labels, ranks):
    """Draw one line a variant: mean over seeds, the sample standard deviation as error bars."""
    figure, axes = plt.subplots(figsize=(COLUMN_WIDTH, 2.3), layout="constrained")
    shown = []
    for row_id, selector in VARIANTS.items():
        name, colour, marker = LINES[selector["variant"]]
        points = sorted((x, cells[row_id, c]) for c, x in settings.items() if (row_id, c) in cells)
        if not points:
            continue
        means = [values.mean() for _, values in points]
        errors = [values.std(ddof=1) if len(values) > 1 else 0.0 for _, values in points]
        axes.errorbar(
            *([x for x, _ in points], means, errors if any(errors) else None),
            **{"color": colour, "marker": marker, "capsize": 2, "elinewidth": 0.8, "label": name},
        )
        shown += means
        if (row_id, "original") in cells:
            level = cells[row_id, "original"].mean()
            axes.axhline(level, color=colour, lw=0.7, ls=(0, (4, 3)))
            shown.append(level)
    axes.set(xlabel=xlabel, ylabel="Test perplexity with cache", yscale="log")
    _label_settings(axes, labels, ranks)
    _label_log_axis(axes.yaxis, min(shown), max(shown))
    (level_mark,) = axes.plot([], [], color="#555555", lw=0.7, ls=(0, (4, 3)))
    handles, names = axes.get_legend_handles_labels()
    names.append("Not compressed")
    figure.legend([*handles, level_mark], names, loc="outside lower center", ncols=2)
    return figure


def _label_settings(axes, labels, ranks):
    """Label the settings themselves; ranks are spaced by their logarithm to the base 2."""
    if ranks:
        axes.set_xscale("log", base=2)
    axes.set_xticks([*labels], [*labels.values()])
    axes.xaxis.set_minor_locator(FixedLocator([]))
