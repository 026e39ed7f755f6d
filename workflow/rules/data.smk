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
        mirror=mirror_option(),
    message:
        "fetch the data set {wildcards.dataset}"
    shell:
        "python -m g2lstm fetch --dataset {wildcards.dataset} {resources.mirror}"
        " --record {output.record} &> {log}"


rule prepare:
    input:
        raw=raw_text,
    output:
        corpus="results/{preset}/data/{words}/corpus.safetensors",
        record="results/{preset}/data/{words}/corpus.json",
    log:
        "logs/{preset}/data/{words}/prepare.log",
    benchmark:
        "benchmarks/{preset}/data/{words}/prepare.jsonl"
    conda:
        "../../envs/data.yaml"
    resources:
        runtime=asked("prepare", "runtime"),
        mem_mb=asked("prepare", "mem_mb"),
    params:
        source=corpus_source,
    message:
        "prepare the corpus of {wildcards.words} ({wildcards.preset})"
    shell:
        "python -m g2lstm prepare --task {wildcards.words} --source {params.source:q} --raw {input.raw}"
        " --corpus {output.corpus} --record {output.record} &> {log}"


rule prepare_translation:
    input:
        raw=raw_text,
    output:
        corpus="results/{preset}/data/{pair}/corpus.safetensors",
        record="results/{preset}/data/{pair}/corpus.json",
        codes="results/{preset}/data/{pair}/bpe.codes",
        vocabulary="results/{preset}/data/{pair}/vocabulary.txt",
        references=expand(
            "results/{{preset}}/data/{{pair}}/{split}.{kind}.txt",
            split=("valid", "test"),
            kind=("tokenised", "raw"),
        ),
    log:
        "logs/{preset}/data/{pair}/prepare.log",
    benchmark:
        "benchmarks/{preset}/data/{pair}/prepare.jsonl"
    conda:
        "../../envs/data.yaml"
    resources:
        runtime=asked("prepare", "runtime"),
        mem_mb=asked("prepare", "mem_mb"),
    params:
        source=corpus_source,
        folder=subpath(output.corpus, parent=True),
    message:
        "prepare the parallel corpus {wildcards.pair} of {wildcards.preset}"
    shell:
        "python -m g2lstm prepare-translation --source {params.source:q} --raw {input.raw}"
        " --folder {params.folder} &> {log}"
