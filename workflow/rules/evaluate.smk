# Perplexity or BLEU of every model and of all its compressed forms. One job compresses a model at
# every setting and evaluates what it wrote: to start a process for each takes longer than most of
# them. Outputs of a rule have fixed names, and settings belong to preset and task: hence the loops.
from itertools import product

EVALUATE = (
    "python -m g2lstm evaluate --model {input.model} {params.compressions} --corpus {input.corpus}"
    " --labels {params.labels:q} --settings {params.settings:q} --splits {params.splits}"
    " --plain {output.plain} --cache {output.cache} --device {resources.device}"
    " --threads {threads} &> {log}"
)
TRANSLATE = (
    "python -m g2lstm translate --model {input.model} {params.compressions} --corpus {input.corpus}"
    " --references {params.folder} --labels {params.labels:q} --settings {params.settings:q}"
    " --record {output.record} --translations {output.translations} --device {resources.device}"
    " --threads {threads} &> {log}"
)


rule evaluate:
    input:
        corpus="results/{preset}/data/lm/corpus.safetensors",
        model="results/{preset}/lm/{variant}/s{seed}/{stage}/model.safetensors",
    output:
        plain="results/{preset}/lm/{variant}/s{seed}/{stage}/eval/original.plain.json",
        cache="results/{preset}/lm/{variant}/s{seed}/{stage}/eval/original.cache.json",
    log:
        "logs/{preset}/lm/{variant}/s{seed}/{stage}/eval/original.log",
    benchmark:
        "benchmarks/{preset}/lm/{variant}/s{seed}/{stage}/eval/original.jsonl"
    conda:
        "../../envs/torch.yaml"
    threads: threads("evaluate")
    resources:
        gpu=gpus(),
        device=settings()["device"],
        runtime=asked("evaluate", "runtime"),
        mem_mb=asked("evaluate", "mem_mb"),
    params:
        labels=labels,
        settings=evaluation_settings,
        splits="valid test",
        compressions="",
    message:
        "evaluate lm {wildcards.variant}, seed {wildcards.seed}, {wildcards.stage}"
        " ({wildcards.preset})"
    shell:
        EVALUATE


# Print shows only the test split of compressed models.
for preset in usable_presets():
    names = compression_names(preset, "lm")

    rule:
        name:
            f"evaluate_compressed_{preset}"
        input:
            corpus="results/{preset}/data/lm/corpus.safetensors",
            model="results/{preset}/lm/{variant}/s{seed}/{stage}/model.safetensors",
        output:
            plain=expand(
                "results/{preset}/lm/{variant}/s{seed}/{stage}/eval/{setting}.plain.json",
                setting=names,
                allow_missing=True,
            ),
            cache=expand(
                "results/{preset}/lm/{variant}/s{seed}/{stage}/eval/{setting}.cache.json",
                setting=names,
                allow_missing=True,
            ),
            compressed=expand(
                "results/{preset}/lm/{variant}/s{seed}/{stage}/compressed/{setting}.safetensors",
                setting=names,
                allow_missing=True,
            ),
        log:
            "logs/{preset}/lm/{variant}/s{seed}/{stage}/eval/compressed.log",
        benchmark:
            "benchmarks/{preset}/lm/{variant}/s{seed}/{stage}/eval/compressed.jsonl"
        wildcard_constraints:
            preset=preset,
        conda:
            "../../envs/torch.yaml"
        threads: threads("evaluate")
        resources:
            gpu=gpus(),
            device=settings()["device"],
            runtime=asked("evaluate", "runtime"),
            mem_mb=asked("evaluate", "mem_mb"),
        params:
            labels=labels,
            settings=evaluation_settings,
            splits="test",
            compressions=compressions,
        message:
            "compress and evaluate lm {wildcards.variant}, seed {wildcards.seed}, {wildcards.stage}"
            " ({wildcards.preset})"
        shell:
            EVALUATE


# A sparse model is evaluated as the small one that it can be made into.
rule translate:
    input:
        corpus="results/{preset}/data/{pair}/corpus.safetensors",
        references=rules.prepare_translation.output.references,
        model="results/{preset}/{pair}/{variant}/s{seed}/train/model.safetensors",
    output:
        record="results/{preset}/{pair}/{variant}/s{seed}/train/eval/original.beam{beam}.json",
        translations="results/{preset}/{pair}/{variant}/s{seed}/train/eval/original.beam{beam}.txt",
    log:
        "logs/{preset}/{pair}/{variant}/s{seed}/train/eval/original.beam{beam}.log",
    benchmark:
        "benchmarks/{preset}/{pair}/{variant}/s{seed}/train/eval/original.beam{beam}.jsonl"
    conda:
        "../../envs/torch.yaml"
    threads: threads("evaluate")
    resources:
        gpu=gpus(),
        device=settings()["device"],
        runtime=asked("evaluate", "runtime"),
        mem_mb=asked("evaluate", "mem_mb"),
    params:
        labels=labels,
        settings=translation_settings,
        folder=subpath(input.corpus, parent=True),
        compressions="",
    message:
        "translate {wildcards.pair} {wildcards.variant}, seed {wildcards.seed}"
        " ({wildcards.preset})"
    shell:
        TRANSLATE


for preset, pair in product(usable_presets(), TRANSLATION):
    names = compression_names(preset, pair)

    rule:
        name:
            f"translate_compressed_{preset}_{pair}"
        input:
            corpus="results/{preset}/data/{pair}/corpus.safetensors",
            references=rules.prepare_translation.output.references,
            model="results/{preset}/{pair}/{variant}/s{seed}/train/model.safetensors",
        output:
            record=expand(
                "results/{preset}/{pair}/{variant}/s{seed}/train/eval/{setting}.beam{beam}.json",
                setting=names,
                allow_missing=True,
            ),
            translations=expand(
                "results/{preset}/{pair}/{variant}/s{seed}/train/eval/{setting}.beam{beam}.txt",
                setting=names,
                allow_missing=True,
            ),
            compressed=expand(
                "results/{preset}/{pair}/{variant}/s{seed}/train/compressed/{setting}.beam{beam}.safetensors",
                setting=names,
                allow_missing=True,
            ),
        log:
            "logs/{preset}/{pair}/{variant}/s{seed}/train/eval/compressed.beam{beam}.log",
        benchmark:
            "benchmarks/{preset}/{pair}/{variant}/s{seed}/train/eval/compressed.beam{beam}.jsonl"
        wildcard_constraints:
            preset=preset,
            pair=pair,
        conda:
            "../../envs/torch.yaml"
        threads: threads("evaluate")
        resources:
            gpu=gpus(),
            device=settings()["device"],
            runtime=asked("evaluate", "runtime"),
            mem_mb=asked("evaluate", "mem_mb"),
        params:
            labels=labels,
            settings=translation_settings,
            folder=subpath(input.corpus, parent=True),
            compressions=compressions,
        message:
            "compress and translate {wildcards.pair} {wildcards.variant}, seed {wildcards.seed}"
            " ({wildcards.preset})"
        shell:
            TRANSLATE


# A later rule that forgets the wildcards shall not find these.
del preset, pair, names


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
    localrule: True
    conda:
        "../../envs/torch.yaml"
    params:
        labels=significance_labels,
        samples=lambda wildcards: task_of(wildcards)[0]["evaluation"]["bootstrap"],
        folder=lambda wildcards, input: str(Path(input.references[0]).parent),
    message:
        "compare the variants of {wildcards.pair}, seed {wildcards.seed}"
    shell:
        "python -m g2lstm significance --records {input.records}"
        " --translations {input.translations} --references {params.folder}"
        " --labels {params.labels:q} --samples {params.samples} --record {output.record} &> {log}"
