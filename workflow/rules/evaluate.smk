# Perplexity or BLEU of every model, original and compressed; gate values of the originals.


rule evaluate:
    input:
        corpus="results/{preset}/data/lm/corpus.safetensors",
        model=evaluated_model,
    output:
        plain="results/{preset}/lm/{variant}/s{seed}/{stage}/eval/{setting}.plain.json",
        cache="results/{preset}/lm/{variant}/s{seed}/{stage}/eval/{setting}.cache.json",
    log:
        "logs/{preset}/lm/{variant}/s{seed}/{stage}/eval/{setting}.log",
    benchmark:
        "benchmarks/{preset}/lm/{variant}/s{seed}/{stage}/eval/{setting}.jsonl"
    conda:
        "../../envs/torch.yaml"
    threads: threads("evaluate")
    resources:
        gpu=gpus(),
        device=settings()["device"],
    params:
        labels=labels,
        settings=evaluation_settings,
        splits=evaluated_splits,
    shell:
        "python -m g2lstm evaluate --model {input.model} --corpus {input.corpus}"
        " --labels {params.labels:q} --settings {params.settings:q} --splits {params.splits}"
        " --plain {output.plain} --cache {output.cache}"
        " --device {resources.device} --threads {threads} &> {log}"


rule translate:
    input:
        corpus="results/{preset}/data/{pair}/corpus.safetensors",
        references=rules.prepare_translation.output.references,
        model=evaluated_model,
    output:
        record="results/{preset}/{pair}/{variant}/s{seed}/train/eval/{setting}.beam{beam}.json",
        translations="results/{preset}/{pair}/{variant}/s{seed}/train/eval/{setting}.beam{beam}.txt",
    log:
        "logs/{preset}/{pair}/{variant}/s{seed}/train/eval/{setting}.beam{beam}.log",
    benchmark:
        "benchmarks/{preset}/{pair}/{variant}/s{seed}/train/eval/{setting}.beam{beam}.jsonl"
    conda:
        "../../envs/torch.yaml"
    threads: threads("evaluate")
    resources:
        gpu=gpus(),
        device=settings()["device"],
    params:
        labels=labels,
        settings=translation_settings,
        folder=subpath(input.corpus, parent=True),
    shell:
        "python -m g2lstm translate --model {input.model} --corpus {input.corpus}"
        " --references {params.folder} --labels {params.labels:q} --settings {params.settings:q}"
        " --record {output.record} --translations {output.translations}"
        " --device {resources.device} --threads {threads} &> {log}"


rule significance:
    input:
        references=rules.prepare_translation.output.references,
        # In a clone with records alone, times of files mean nothing.
        records=ancient(originals("json")),
        translations=originals("txt"),
    output:
        record="results/{preset}/{pair}/significance-s{seed}.beam{beam}.json",
    log:
        "logs/{preset}/{pair}/significance-s{seed}.beam{beam}.log",
    benchmark:
        "benchmarks/{preset}/{pair}/significance-s{seed}.beam{beam}.jsonl"
    conda:
        "../../envs/torch.yaml"
    params:
        labels=significance_labels,
        samples=lambda wildcards: task_of(wildcards)[0]["evaluation"]["bootstrap"],
        folder=lambda wildcards: f"results/{wildcards.preset}/data/{wildcards.pair}",
    message:
        "compare the variants of {wildcards.pair}, seed {wildcards.seed}"
    shell:
        "python -m g2lstm significance --records {input.records}"
        " --translations {input.translations} --references {params.folder}"
        " --labels {params.labels:q} --samples {params.samples} --record {output.record} &> {log}"


rule gates:
    input:
        corpus="results/{preset}/data/{task}/corpus.safetensors",
        model="results/{preset}/{task}/{variant}/s{seed}/{stage}/model.safetensors",
    output:
        record="results/{preset}/{task}/{variant}/s{seed}/{stage}/gates.json",
    log:
        "logs/{preset}/{task}/{variant}/s{seed}/{stage}/gates.log",
    benchmark:
        "benchmarks/{preset}/{task}/{variant}/s{seed}/{stage}/gates.jsonl"
    conda:
        "../../envs/torch.yaml"
    threads: threads("evaluate")
    resources:
        gpu=gpus(),
        device=settings()["device"],
    params:
        labels=labels,
        settings=gate_settings,
    message:
        "record the gates of {wildcards.task} {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m g2lstm gates --model {input.model} --corpus {input.corpus}"
        " --labels {params.labels:q} --settings {params.settings:q} --record {output.record}"
        " --device {resources.device} --threads {threads} &> {log}"
