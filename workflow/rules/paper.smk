# From records to print: needs neither models nor data.


rule aggregate:
    input:
        records=records,
        trainings=trainings(task_runs),
    output:
        summary="results/{preset}/{task}/summary.csv",
        provenance="results/{preset}/{task}/provenance.csv",
    log:
        "logs/{preset}/paper/aggregate-{task}.log",
    localrule: True
    conda:
        "../../envs/paper.yaml"
    params:
        expected=expected(task_runs),
    message:
        "collect the records of {wildcards.task} ({wildcards.preset})"
    shell:
        "python -m g2lstm aggregate --records {input.records} --trainings {input.trainings}"
        " --expected {params.expected:q} --summary {output.summary} --provenance {output.provenance} &> {log}"


rule table:
    input:
        summaries=table_inputs("summary"),
        provenance=table_inputs("provenance"),
    output:
        tex="paper_tables/{preset}/{table}.tex",
        md="paper_tables/{preset}/{table}.md",
        csv=report("paper_tables/{preset}/{table}.csv", labels=table_labels("numbers"), **TABLE),
        png=report("paper_tables/{preset}/{table}.png", labels=table_labels("image"), **TABLE),
    log:
        "logs/{preset}/paper/{table}.log",
    localrule: True
    conda:
        "../../envs/paper.yaml"
    params:
        layout=table_layout,
        stem=subpath(output.tex, strip_suffix=".tex"),
    message:
        "{wildcards.table} of {wildcards.preset}"
    shell:
        "python -m g2lstm table --table {wildcards.table} --summary {input.summaries}"
        " --provenance {input.provenance} --layout {params.layout:q} --stem {params.stem} &> {log}"


rule learning_curve:
    input:
        records=trainings(run_stages),
    output:
        pdf="paper_tables/{preset}/learning-curve-{task}-{variant}-s{seed}.pdf",
        png=report(
            "paper_tables/{preset}/learning-curve-{task}-{variant}-s{seed}.png",
            caption="../report/learning-curve.rst",
            category="Learning curves",
            subcategory=lambda wildcards: SUBJECTS[wildcards.task,],
            labels={"variant": "{variant}", "seed": "{seed}"},
        ),
    log:
        "logs/{preset}/paper/learning-curve-{task}-{variant}-s{seed}.log",
    localrule: True
    conda:
        "../../envs/paper.yaml"
    params:
        expected=expected(run_stages),
        layout=table_layout,
        stem=subpath(output.png, strip_suffix=".png"),
    message:
        "learning curve of {wildcards.task} {wildcards.variant}, seed {wildcards.seed}"
        " ({wildcards.preset})"
    shell:
        "python -m g2lstm learning-curve --records {input.records} --trainings {input.records}"
        " --expected {params.expected:q} --layout {params.layout:q} --stem {params.stem} &> {log}"


rule curve:
    input:
        summaries=summaries(["lm"]),
    output:
        pdf="paper_tables/{preset}/{over}-curve.pdf",
        png=report(
            "paper_tables/{preset}/{over}-curve.png",
            caption="../report/curve.rst",
            category="Compression",
            subcategory=SUBJECTS["lm",],
            labels={"perplexity over": "{over}"},
        ),
    log:
        "logs/{preset}/paper/{over}-curve.log",
    wildcard_constraints:
        over="rank|rounding",
    localrule: True
    conda:
        "../../envs/paper.yaml"
    params:
        layout=table_layout,
        stem=subpath(output.png, strip_suffix=".png"),
    message:
        "perplexity over {wildcards.over} ({wildcards.preset})"
    shell:
        "python -m g2lstm curve --over {wildcards.over} --summary {input.summaries}"
        " --layout {params.layout:q} --stem {params.stem} &> {log}"


rule gate_figure:
    input:
        records=lambda wildcards: gate_records(wildcards.preset, GATE_FIGURES[wildcards.figure][0]),
        trainings=trainings(figure_runs),
    output:
        pdf="paper_tables/{preset}/{figure}.pdf",
        tex="paper_tables/{preset}/{figure}.tex",
        csv=report("paper_tables/{preset}/{figure}.csv", labels=figure_labels("numbers"), **FIGURE),
        png=report("paper_tables/{preset}/{figure}.png", labels=figure_labels("image"), **FIGURE),
    log:
        "logs/{preset}/paper/{figure}.log",
    wildcard_constraints:
        figure="|".join(GATE_FIGURES),
    localrule: True
    conda:
        "../../envs/paper.yaml"
    params:
        expected=expected(figure_runs),
        layout=table_layout,
        verb=lambda wildcards: GATE_FIGURES[wildcards.figure][1],
        stem=subpath(output.png, strip_suffix=".png"),
    message:
        "{wildcards.figure} of {wildcards.preset}"
    shell:
        "python -m g2lstm {params.verb} --records {input.records} --trainings {input.trainings}"
        " --expected {params.expected:q} --layout {params.layout:q} --stem {params.stem} &> {log}"


rule sparse_figure:
    input:
        records=sparse_records,
        trainings=trainings(figure_runs),
    output:
        pdf="paper_tables/{preset}/{figure}.pdf",
        tex="paper_tables/{preset}/{figure}.tex",
        csv=report(
            "paper_tables/{preset}/{figure}.csv",
            labels=figure_labels("numbers"),
            **SPARSE_FIGURE,
        ),
        png=report(
            "paper_tables/{preset}/{figure}.png",
            labels=figure_labels("image"),
            **SPARSE_FIGURE,
        ),
    log:
        "logs/{preset}/paper/{figure}.log",
    wildcard_constraints:
        figure="|".join(SPARSE_FIGURES),
    localrule: True
    conda:
        "../../envs/paper.yaml"
    params:
        expected=expected(figure_runs),
        layout=table_layout,
        verb=lambda wildcards: (
            "gate-maps" if wildcards.figure.startswith("sparse-gates") else "gradient-lags"
        ),
        stem=subpath(output.png, strip_suffix=".png"),
    message:
        "{wildcards.figure} of {wildcards.preset}"
    shell:
        "python -m g2lstm {params.verb} --records {input.records} --trainings {input.trainings}"
        " --expected {params.expected:q} --layout {params.layout:q} --stem {params.stem} &> {log}"


rule saturation_sketch:
    output:
        pdf="paper_tables/{preset}/figure2.pdf",
        tex="paper_tables/{preset}/figure2.tex",
        csv=report(
            "paper_tables/{preset}/figure2.csv",
            labels=figure_labels("numbers", "figure2"),
            **SKETCH,
        ),
        png=report(
            "paper_tables/{preset}/figure2.png",
            labels=figure_labels("image", "figure2"),
            **SKETCH,
        ),
    log:
        "logs/{preset}/paper/figure2.log",
    localrule: True
    conda:
        "../../envs/paper.yaml"
    params:
        layout=table_layout,
        stem=subpath(output.png, strip_suffix=".png"),
    message:
        "figure2 of {wildcards.preset}"
    shell:
        "python -m g2lstm saturation --layout {params.layout:q} --stem {params.stem} &> {log}"


rule against_print:
    input:
        summaries=lambda wildcards: summaries(judged(wildcards)[1])(wildcards),
    output:
        text="paper_tables/{preset}/{kind}.md",
    log:
        "logs/{preset}/paper/{kind}.log",
    wildcard_constraints:
        kind="(?:(?:sparse|iss)_)?(?:comparison|claims)",
    localrule: True
    conda:
        "../../envs/paper.yaml"
    params:
        layout=table_layout,
        paper=lambda wildcards: judged(wildcards)[0],
        verb=lambda wildcards: wildcards.kind.rpartition("_")[2],
    message:
        "{wildcards.kind} of {wildcards.preset}"
    shell:
        "python -m g2lstm {params.verb} --paper {params.paper} --summary {input.summaries}"
        " --layout {params.layout:q} --output {output.text} &> {log}"


# A browser shows the HTML report, and no Markdown.
rule page:
    input:
        text="paper_tables/{preset}/{kind}.md",
    output:
        page=report(
            "paper_tables/{preset}/{kind}.html",
            caption="../report/print.rst",
            category="Checked against print",
            labels={"page": "{kind}"},
        ),
    log:
        "logs/{preset}/paper/{kind}-page.log",
    wildcard_constraints:
        kind="(?:(?:sparse|iss)_)?(?:comparison|claims)",
    localrule: True
    conda:
        "../../envs/paper.yaml"
    message:
        "{wildcards.kind} of {wildcards.preset} as a page"
    shell:
        "python -m g2lstm page --text {input.text} --page {output.page} &> {log}"


# Optional, since it needs a TeX engine: snakemake --cores 1 paper_tables/{preset}/paper.pdf
rule paper_pdf:
    input:
        files=document_files,
    output:
        pdf="paper_tables/{preset}/paper.pdf",
    log:
        "logs/{preset}/paper/paper.log",
    localrule: True
    conda:
        "../../envs/paper.yaml"
    params:
        layout=table_layout,
    message:
        "compile all tables and figures of {wildcards.preset}"
    shell:
        "python -m g2lstm paper --files {input.files} --layout {params.layout:q}"
        " --output {output.pdf} &> {log}"
