"""The paper's sentences as predicates over our numbers: holds, fails or undecided."""

from dataclasses import dataclass
from string import ascii_lowercase

from g2lstm.paper import sparse_claims
from g2lstm.paper.aggregate import corpus_of, read_summaries
from g2lstm.paper.cells import (
    MISSING,
    TABLES,
    corpora_text,
    measured_cells,
    paper_tasks,
    printed_value,
    reduced_tasks,
    resolve_columns,
    tables_of,
)
from g2lstm.paper.gate_claims import gate_numbers, gate_predicates
from g2lstm.paper.predicates import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Missing,
    Verdict,
    conjunction,
    evaluate,
    split_parts,
)
from g2lstm.paper.published import PAPER, read_claims, read_tables
from g2lstm.paper.render import markdown_escape
from g2lstm.paper.spec import PRINTED_CORPORA
from g2lstm.records import write_text

GATES_NOTE = " or, as `gates`, over the gates of the decoder's first transition, German-English"


@dataclass(frozen=True)
class Result:
    """A claim judged on our numbers: outcome, reason when undecided, (part, Verdict) pairs."""

    outcome: str
    reason: str
    parts: tuple = ()


def write_claims(summary_paths, published_path, claims_path, layout, output, paper=PAPER):
    """Write ``claims.md``: each claim of a paper, with its outcome in print and for our runs.

    Claims about figures get the predicates of :mod:`g2lstm.paper.gate_claims` and
    :mod:`g2lstm.paper.sparse_claims`.
    """
    published, summary = read_tables(published_path, paper), read_summaries(summary_paths)
    mean = our_numbers(published, summary, layout, paper)
    seeds = sorted(summary["seed"].dropna().unique())
    by_seed = [
        our_numbers(published, summary[_of_seed(summary, seed)], layout, paper) for seed in seeds
    ]
    of_figures = sparse_claims.PREDICATES | gate_predicates(
        synthetic=corpus_of(summary, "de-en") == "synthetic"
    )
    claims = [
        {**claim, "expr": claim["expr"] or of_figures.get(claim["id"])}
        for claim in sparse_claims.with_words_alone(read_claims(claims_path, paper))
    ]
    results = [(claim, judge(claim, mean, by_seed)) for claim in claims]
    header = _header(layout, paper)
    sections = [*header, _result_table(results), "## Predicates", _predicates(results)]
    write_text(output, "\n\n".join(sections) + "\n")


def _of_seed(summary, seed):
    """Return the mask of one seed's rows and of those that belong to no seed."""
    return (summary["seed"] == seed).fillna(True).astype(bool)


def our_numbers(published, summary, layout, paper=PAPER):
    """Return what the predicates see: :func:`our_tables`, and the numbers of gates as ``gates``, of
    what is left of sparse models as ``left``.
    """
    tables = our_tables(published, summary, layout, paper)
    if paper == PAPER:
        return {**tables, "gates": gate_numbers(summary)}
    return {**tables, "left": sparse_claims.left_numbers(summary)}


def our_tables(published, summary, layout, paper=PAPER):
    """Return table -> row -> column -> number with the printed ids and our rounded means.

    A cell without a run is :class:`Missing`. Rows of other systems keep the printed numbers where
    our corpus is that of print; on another corpus no comparison with them has a meaning.
    """
    ours = tables_of(paper)
    return {
        printed_id: _our_rows(ours.get(printed_id), table, summary, layout)
        for printed_id, table in published.items()
    }


def _our_rows(table_id, table, summary, layout):
    if table_id is None:
        return {row: dict.fromkeys(cells, Missing()) for row, cells in table["rows"].items()}
    spec = TABLES[table_id]
    cells = measured_cells(table_id, summary, layout)
    columns = resolve_columns(table_id, layout)
    same = [
        task
        for task in spec.tasks
        if not spec.beside and corpus_of(summary, task) == PRINTED_CORPORA[task][0]
    ]

    def number(row_id, column_id, printed):
        if isinstance(printed, str):  # what the row is about
            return printed
        if (row_id, column_id) in cells:
            column = spec.column_in(row_id, columns[column_id])
            return printed_value(cells[row_id, column_id], column.decimals)
        quoted = same and row_id not in spec.rows and spec.task_of(columns[column_id]) in same
        return printed if quoted else Missing()

    return {
        row_id: {column_id: number(row_id, column_id, value) for column_id, value in row.items()}
        for row_id, row in table["rows"].items()
    }


def judge(claim, mean, by_seed):
    """Return the :class:`Result` of a claim on the mean over seeds and on each seed's own numbers.

    A claim without a predicate is undecided; so is one, or one of its parts, when a number is
    missing or when the seeds, or a seed and the mean, disagree. Seeds that lack a number have no
    say.
    """
    if claim["expr"] is None:
        return Result(UNDECIDED, f"not measured in these runs: {claim['measure']}")
    parts = split_parts(claim["expr"])
    on_mean = [evaluate(part, mean) for part in parts]
    on_seeds = [[evaluate(part, tables) for part in parts] for tables in by_seed]
    outcomes = {conjunction([verdict.outcome for verdict in on_mean])}
    outcomes |= {conjunction([verdict.outcome for verdict in seed]) for seed in on_seeds}
    merged = tuple(
        (part, _merge(verdict, [seed[number] for seed in on_seeds]))
        for number, (part, verdict) in enumerate(zip(parts, on_mean, strict=True))
    )
    if {HOLDS, FAILS} <= outcomes:
        return Result(UNDECIDED, "the verdict changes between seeds", merged)
    outcome = conjunction([verdict.outcome for verdict in on_mean])
    missing = [verdict.missing for verdict in on_mean if verdict.missing]
    names = ", ".join(dict.fromkeys(missing))
    reason = f"no comparable number for {names}" if outcome == UNDECIDED else ""
    return Result(outcome, reason, merged)


def _merge(mean, seeds):
    """Return the verdict on the mean, or undecided when a seed decides otherwise."""
    decided = {verdict.outcome for verdict in (mean, *seeds)} - {UNDECIDED}
    return Verdict(UNDECIDED, mean.numbers) if len(decided) > 1 else mean


def _header(layout, paper):
    lines = [
        "# Claims of the paper",
        f"Preset: **{markdown_escape(layout['label'])}**.",
    ]
    if corpora := corpora_text(layout, paper_tasks(paper)):
        lines.append(f"Data: {markdown_escape(corpora)}.")
    if reduced := reduced_tasks(layout, paper_tasks(paper)):
        lines.append(
            f"Reduced: {', '.join(reduced)}; **these numbers are not comparable with print**. A "
            "claim that holds or fails on them says nothing about the paper's own scale."
        )
    gates_note = GATES_NOTE if paper == PAPER else ""
    lines.append(
        "Each sentence is a predicate over the tables (means over seeds, rounded as in print)"
        f"{gates_note}. It holds when all its parts, (a), (b) and so on, hold; "
        "each part has its own verdict, so that an ordering can be told from an exact difference. "
        "The parts are spelt out below the table. Undecided: a number is missing, or the seeds "
        "disagree. Both verdicts, in print and on our numbers, are those of the predicate, "
        "whatever the sentence's own wording says of it; a remark marks the predicates that the "
        "printed numbers contradict."
    )
    return lines


def _printed(claim):
    return {True: HOLDS, False: FAILS, None: MISSING}[claim["printed"]]


def _result_table(results):
    head = (
        "| Claim | Sentence | Predicate in print | Predicate on our numbers | Numbers |\n"
        "|:--|:--|:--|:--|:--|"
    )
    lines = [
        f"| {claim['id']} | {markdown_escape(claim['text'])} | {_printed(claim)} | "
        f"**{result.outcome}** | {_explanation(claim, result)} |"
        for claim, result in results
    ]
    return "\n".join([head, *lines])


def _explanation(claim, result):
    """Return remark and reason, then each part with its verdict and the numbers it read."""
    lines = [result.reason] if result.reason else []
    if claim["printed"] is False:
        too = " too" if result.outcome == FAILS else ""
        lines.insert(0, f"the printed numbers contradict the predicate{too}")
    for letter, (_, verdict) in zip(ascii_lowercase, result.parts, strict=False):
        numbers = ", ".join(f"{path} {value}" for path, value in verdict.numbers.items())
        lines.append(f"({letter}) {verdict.outcome}" + (f": {numbers}" if numbers else ""))
    return "<br>".join(markdown_escape(line) for line in lines)


def _predicates(results):
    """Return the list of the parts' expressions, lettered as in the table."""
    lines = []
    for claim, result in results:
        lettered = zip(ascii_lowercase, result.parts, strict=False)
        parts = "; ".join(f"({letter}) `{part}`" for letter, (part, _) in lettered)
        if parts:
            lines.append(f"- {claim['id']}: {parts}")
    return "\n".join(lines)
