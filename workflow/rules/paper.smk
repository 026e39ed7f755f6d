# From records to print: needs neither models nor data.


rule aggregate:
    input:
        lambda wildcards: records(wildcards.preset),
    output:
        summary="results/{preset}/summary.csv",
    log:
        "logs/{preset}/paper/aggregate.log",
    localrule: True
    conda:
        "../../envs/paper.yaml"
    message:
        "collect the records of {wildcards.preset}"
    shell:
        "python -m g2lstm aggregate --records {input} --summary {output.summary} &> {log}"


rule table:
    input:
        summary="results/{preset}/summary.csv",
    output:
        multiext(
            "paper_tables/{preset}/table{number}",
            tex=".tex",
            csv=".csv",
            md=".md",
            png=".png",
        ),
    log:
        "logs/{preset}/paper/table{number}.log",
    localrule: True
    conda:
        "../../envs/paper.yaml"
    params:
        layout=table_layout,
        stem=subpath(output.tex, strip_suffix=".tex"),
    message:
        "table {wildcards.number} of {wildcards.preset}"
    shell:
        "python -m g2lstm table --number {wildcards.number} --summary {input.summary}"
        " --layout {params.layout:q} --stem {params.stem} &> {log}"


rule learning_curve:
    input:
        records=run_records,
    output:
        multiext(
            "paper_tables/{preset}/learning-curve-{variant}-s{seed}",
            png=".png",
            pdf=".pdf",
        ),
    log:
        "logs/{preset}/paper/learning-curve-{variant}-s{seed}.log",
    localrule: True
    conda:
        "../../envs/paper.yaml"
    params:
        layout=table_layout,
        stem=subpath(output.png, strip_suffix=".png"),
    message:
        "learning curve of {wildcards.variant}, seed {wildcards.seed} ({wildcards.preset})"
    shell:
        "python -m g2lstm learning-curve --records {input.records}"
        " --layout {params.layout:q} --stem {params.stem} &> {log}"


rule curve:
    input:
        summary="results/{preset}/summary.csv",
    output:
        multiext("paper_tables/{preset}/{over}-curve", png=".png", pdf=".pdf"),
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
        "python -m g2lstm curve --over {wildcards.over} --summary {input.summary}"
        " --layout {params.layout:q} --stem {params.stem} &> {log}"


rule against_print:
    input:
        summary="results/{preset}/summary.csv",
    output:
        report="paper_tables/{preset}/{kind}.md",
    log:
        "logs/{preset}/paper/{kind}.log",
    wildcard_constraints:
        kind="comparison|claims",
    localrule: True
    conda:
        "../../envs/paper.yaml"
    params:
        layout=table_layout,
    message:
        "{wildcards.kind} of {wildcards.preset}"
    shell:
        "python -m g2lstm {wildcards.kind} --summary {input.summary}"
        " --layout {params.layout:q} --output {output.report} &> {log}"
