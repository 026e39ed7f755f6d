# Sparse models: the small model that each becomes, its quality, its speed, and how far back it looks.


rule export:
    input:
        corpus="results/{preset}/data/{words}/corpus.safetensors",
        model="results/{preset}/{words}/{method}/s{seed}/train/model.safetensors",
    output:
        exported="results/{preset}/{words}/{method}/s{seed}/train/exported.safetensors",
        record="results/{preset}/{words}/{method}/s{seed}/train/eval/original.plain.json",
    log:
        "logs/{preset}/{words}/{method}/s{seed}/train/eval/original.log",
    benchmark:
        "benchmarks/{preset}/{words}/{method}/s{seed}/train/eval/original.jsonl"
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
    message:
        "export and evaluate {wildcards.words} {wildcards.method}, seed {wildcards.seed}"
        " ({wildcards.preset})"
    shell:
        "python -m g2lstm export --model {input.model} --corpus {input.corpus}"
        " --labels {params.labels:q} --settings {params.settings:q} --exported {output.exported}"
        " --record {output.record} --device {resources.device} --threads {threads} &> {log}"


rule speed:
    input:
        corpus="results/{preset}/data/{words}/corpus.safetensors",
        model="results/{preset}/{words}/{method}/s{seed}/train/model.safetensors",
        exported=rules.export.output.exported,
    output:
        record="results/{preset}/{words}/{method}/s{seed}/train/eval/original.speed.json",
    log:
        "logs/{preset}/{words}/{method}/s{seed}/train/eval/speed.log",
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
    message:
        "time the exported {wildcards.words} {wildcards.method}, seed {wildcards.seed}"
        " ({wildcards.preset})"
    shell:
        "python -m g2lstm speed --model {input.model} --exported {input.exported}"
        " --corpus {input.corpus} --labels {params.labels:q} --record {output.record}"
        " --device {resources.device} --threads {threads} &> {log}"


rule lags:
    input:
        corpus="results/{preset}/data/{words}/corpus.safetensors",
        model="results/{preset}/{words}/{method}/s{seed}/train/model.safetensors",
        exported=rules.export.output.exported,
    output:
        record="results/{preset}/{words}/{method}/s{seed}/train/eval/original.lags.json",
    log:
        "logs/{preset}/{words}/{method}/s{seed}/train/eval/lags.log",
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
    message:
        "gradients over the time lag of {wildcards.words} {wildcards.method}, seed {wildcards.seed}"
        " ({wildcards.preset})"
    shell:
        "python -m g2lstm lags --model {input.model} --exported {input.exported}"
        " --corpus {input.corpus}"
        " --labels {params.labels:q} --record {output.record} --device {resources.device}"
        " --threads {threads} &> {log}"
