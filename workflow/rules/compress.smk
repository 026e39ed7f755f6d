# One compressed model for each setting, really smaller on disk.


rule compress:
    input:
        model="results/{preset}/lm/{variant}/s{seed}/finetune/model.safetensors",
    output:
        model="results/{preset}/lm/{variant}/s{seed}/finetune/compressed/{setting}.safetensors",
    log:
        "logs/{preset}/lm/{variant}/s{seed}/compress/{setting}.log",
    benchmark:
        "benchmarks/{preset}/lm/{variant}/s{seed}/compress/{setting}.jsonl"
    conda:
        "../../envs/data.yaml"
    threads: threads("evaluate")
    params:
        setting=compression_setting,
    message:
        "compress {wildcards.variant}, seed {wildcards.seed}: {wildcards.setting}"
    shell:
        "python -m g2lstm compress --model {input.model} --name {wildcards.setting}"
        " --setting {params.setting:q} --output {output.model} --threads {threads} &> {log}"
