# make        set up .venv and run the main job (preset demo)
# make report the same, and report.html about it
# make test   set up .venv and run the fast tests and the demo, or those of TESTS=tests/unit
# make test-cluster  run the demo's DAG on a SLURM cluster started here (root; else it is skipped)
# make test-conda  run every rule with --use-conda, in environments that a stand-in for conda makes
# make test-faults  kill everything, fill disks, damage files: nothing is lost (minutes; best as root)
# make status show the state of all runs (another preset than that of config.yaml: PRESET=small)
# make bench  run all benchmarks and write their tables to docs/performance.md
# make bench-peer  set up the environment of JoeyNMT, for the benchmarks to compare with
# make docs   write the documents that are made from their source (needs graphviz)
# make format put code and rules into the project's form
PYTHON ?= python3.11
CORES  ?= $(shell nproc)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONNOUSERSITE := 1

.PHONY: run report test test-cluster slurm test-conda test-faults
.PHONY: status bench bench-peer format docs clean

run: .venv/run.stamp
	snakemake --cores $(CORES) all

report: .venv/run.stamp
	snakemake --cores $(CORES) --report report.html --report-after-run all

test: .venv/test.stamp
	python -m pytest --numprocesses=$(CORES) $(TESTS)

status: .venv/run.stamp
	@PYTHONPATH=src python -m g2lstm status $(if $(PRESET),--preset $(PRESET))

test-cluster: .venv/cluster.stamp slurm
	python -m pytest tests/cluster

# Only root can install SLURM, and only with Debian's packages in reach; else the test says what it
# lacks, and is skipped.
slurm:
	@command -v slurmctld > /dev/null || test "$$(id -u)" != 0 || { apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge; } \
	  || echo "SLURM could not be installed"

test-conda: .venv/test.stamp .venv-snakemake/run.stamp
	python -m pytest tests/conda

test-faults: .venv/test.stamp
	python -m pytest --numprocesses=$(CORES) tests/faults

bench: .venv/run.stamp
	PYTHONPATH=src python bench/layers.py
	PYTHONPATH=src python bench/lm_step.py
	PYTHONPATH=src python bench/cache.py
	PYTHONPATH=src python bench/nmt.py
	PYTHONPATH=src python bench/sparse_inference.py
	PYTHONPATH=src python bench/floors.py
	python bench/report.py

bench-peer: .venv-joeynmt/run.stamp

format: .venv/test.stamp
	ruff format src tests bench
	ruff check --fix src tests bench
	snakefmt Snakefile workflow

docs: .venv/run.stamp
	PYTHONPATH=src python -m g2lstm document > docs/configuration.md
	snakemake --rulegraph --config preset=paper | dot -Tsvg -o docs/rulegraph.svg

clean:
	rm -rf .venv .venv-snakemake .venv-joeynmt .snakemake logs benchmarks

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.txt constraints.txt | .venv/bin/python
	.venv/bin/python -m pip install --quiet -r requirements.txt
	touch $@

.venv/test.stamp: requirements-dev.txt .venv/run.stamp
	.venv/bin/python -m pip install --quiet -r requirements-dev.txt
	touch $@

.venv/cluster.stamp: requirements-cluster.txt .venv/test.stamp
	.venv/bin/python -m pip install --quiet -r requirements-cluster.txt
	touch $@

.venv-snakemake/run.stamp: constraints.txt
	$(PYTHON) -m venv .venv-snakemake
	.venv-snakemake/bin/python -m pip install --quiet -c $< snakemake
	touch $@

.venv-joeynmt/run.stamp: bench/joeynmt-requirements.txt
	$(PYTHON) -m venv .venv-joeynmt
	.venv-joeynmt/bin/python -m pip install --quiet -r $<
	touch $@
