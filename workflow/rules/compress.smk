# One compressed model for each setting, really smaller on disk. Rules with hundreds of jobs have no
# message: it would cost a second of every dry run.


rule compress:
    input:
        model="results/{preset}/{task}/{variant}/s{seed}/{stage}/model.safetensors",
    output:
        model="results/{preset}/{task}/{variant}/s{seed}/{stage}/compressed/{setting}.safetensors",
    log:
        "logs/{preset}/{task}/{variant}/s{seed}/{stage}/compress/{setting}.log",
    benchmark:
        "benchmarks/{preset}/{task}/{variant}/s{seed}/{stage}/compress/{setting}.jsonl"
    conda:
        "../../envs/data.yaml"
    threads: threads("evaluate")
    params:
        setting=compression_setting,
    shell:
        "python -m g2lstm compress --model {input.model} --name {wildcards.setting}"
        " --setting {params.setting:q} --output {output.model} --threads {threads} &> {log}"
