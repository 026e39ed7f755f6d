# Raw text and the corpus made of it.


# Only the record is declared: Snakemake deletes the outputs of a failed job, and a download that
# broke off shall go on where it stopped.
rule fetch:
    output:
        record="results/datasets/{dataset}/files.json",
    log:
        "logs/datasets/{dataset}.log",
    localrule: True
    conda:
        "../../envs/data.yaml"
    resources:
        mirror=mirror_option,
    message:
        "fetch the data set {wildcards.dataset}"
    shell:
        "python -m g2lstm fetch --dataset {wildcards.dataset} {resources.mirror}"
        " --record {output.record} &> {log}"


rule prepare:
    input:
        raw=raw_text,
    output:
        corpus="results/{preset}/data/lm/corpus.safetensors",
        record="results/{preset}/data/lm/corpus.json",
    log:
        "logs/{preset}/data/lm/prepare.log",
    benchmark:
        "benchmarks/{preset}/data/lm/prepare.jsonl"
    conda:
        "../../envs/data.yaml"
    params:
        source=corpus_source,
    message:
        "prepare the language-model corpus of {wildcards.preset}"
    shell:
        "python -m g2lstm prepare --source {params.source:q} --raw {input.raw}"
        " --corpus {output.corpus} --record {output.record} &> {log}"
