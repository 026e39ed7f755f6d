# Gate values of the original models in test mode.


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
        runtime=asked("evaluate", "runtime"),
        mem_mb=asked("evaluate", "mem_mb"),
    params:
        labels=labels,
        settings=gate_settings,
    message:
        "record the gates of {wildcards.task} {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m g2lstm gates --model {input.model} --corpus {input.corpus}"
        " --labels {params.labels:q} --settings {params.settings:q} --record {output.record}"
        " --device {resources.device} --threads {threads} &> {log}"
