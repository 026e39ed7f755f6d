# make        set up .venv and run the main job (preset demo)
# make test   set up .venv and run all tests
# make test-faults  kill everything, fill disks, damage files: nothing is lost (minutes; best as root)
# make bench  run all benchmarks and write their tables to docs/performance.md
# make bench-peer  set up the environment of JoeyNMT, for the benchmarks to compare with
# make format put code and rules into the project's form
PYTHON ?= python3.11
CORES  ?= $(shell nproc)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONNOUSERSITE := 1

.PHONY: run test test-faults bench bench-peer format docs clean

run: .venv/run.stamp
	snakemake --cores $(CORES) all

test: .venv/test.stamp
	python -m pytest

test-faults: .venv/test.stamp
	python -m pytest -m faults

bench: .venv/run.stamp
	PYTHONPATH=src python bench/layers.py
	PYTHONPATH=src python bench/lm_step.py
	PYTHONPATH=src python bench/cache.py
	PYTHONPATH=src python bench/nmt.py
	PYTHONPATH=src python bench/floors.py
	python bench/report.py

bench-peer: .venv-joeynmt/run.stamp

format: .venv/test.stamp
	ruff format src tests bench
	ruff check --fix src tests bench
	snakefmt Snakefile workflow

docs: .venv/run.stamp
	PYTHONPATH=src python -m g2lstm document > docs/configuration.md

clean:
	rm -rf .venv .venv-joeynmt .snakemake logs benchmarks

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.txt constraints.txt | .venv/bin/python
	.venv/bin/python -m pip install --quiet -r requirements.txt
	touch $@

.venv/test.stamp: requirements-dev.txt .venv/run.stamp
	.venv/bin/python -m pip install --quiet -r requirements-dev.txt
	touch $@

.venv-joeynmt/run.stamp: bench/joeynmt-requirements.txt
	$(PYTHON) -m venv .venv-joeynmt
	.venv-joeynmt/bin/python -m pip install --quiet -r $<
	touch $@
