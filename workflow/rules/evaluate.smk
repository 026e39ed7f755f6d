# Perplexity of every model, original and compressed, with and without cache.


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
        gpu=gpus,
        device=option("device"),
    params:
        labels=evaluation_labels,
        settings=evaluation_settings,
        splits=evaluated_splits,
    message:
        "evaluate {wildcards.variant}, seed {wildcards.seed}, {wildcards.stage}: {wildcards.setting}"
    shell:
        "python -m g2lstm evaluate --model {input.model} --corpus {input.corpus}"
        " --labels {params.labels:q} --settings {params.settings:q} --splits {params.splits}"
        " --plain {output.plain} --cache {output.cache}"
        " --device {resources.device} --threads {threads} &> {log}"
