# Every training run: both stages of the language model, one of a translation model. Checkpoints live
# in ckpt/ beside the model, undeclared, so that a killed run goes on where it was.


rule train:
    input:
        corpus="results/{preset}/data/{task}/corpus.safetensors",
        initial=initial_model,
    output:
        model="results/{preset}/{task}/{variant}/s{seed}/{stage}/model.safetensors",
        record="results/{preset}/{task}/{variant}/s{seed}/{stage}/training.json",
    log:
        "logs/{preset}/{task}/{variant}/s{seed}/{stage}.log",
    benchmark:
        "benchmarks/{preset}/{task}/{variant}/s{seed}/{stage}.jsonl"
    conda:
        "../../envs/torch.yaml"
    threads: threads("train")
    # Device, kernel and minutes do not decide the result: a change of a resource runs nothing again.
    resources:
        gpu=gpus(),
        device=settings()["device"],
        kernel=settings()["kernel"],
        checkpoint_minutes=str(settings()["checkpoint_minutes"]),
        runtime=asked("train", "runtime"),
        mem_mb=asked("train", "mem_mb"),
    params:
        job=training_job,
        version=lambda wildcards: STAGE_VERSION[wildcards.task],
        labels=training_labels,
        time_budget=time_budget,
    message:
        "{wildcards.stage} {wildcards.task} {wildcards.variant}, seed {wildcards.seed}"
        " ({wildcards.preset})"
    shell:
        "exec python -m g2lstm train --job {params.job:q} --labels {params.labels:q}"
        " --corpus {input.corpus} --initial {input.initial} --model {output.model}"
        " --record {output.record} --checkpoint-minutes {resources.checkpoint_minutes}"
        " {params.time_budget}"
        " --device {resources.device} --kernel {resources.kernel} --threads {threads} &> {log}"
