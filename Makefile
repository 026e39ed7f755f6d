# make        set up .venv and run the main job (preset demo)
# make test   set up .venv and run all tests
# make bench  print the benchmarks' ratios
# make format put code and rules into the project's form
PYTHON ?= python3.11
CORES  ?= $(shell nproc)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONNOUSERSITE := 1

.PHONY: run test bench format docs clean

run: .venv/run.stamp
	snakemake --cores $(CORES) all

test: .venv/test.stamp
	python -m pytest

bench: .venv/run.stamp
	PYTHONPATH=src python bench/lm_step.py
	PYTHONPATH=src python bench/nmt.py

format: .venv/test.stamp
	ruff format src tests bench
	ruff check --fix src tests bench
	snakefmt Snakefile workflow

docs: .venv/run.stamp
	PYTHONPATH=src python -m g2lstm document > docs/configuration.md

clean:
	rm -rf .venv .snakemake logs benchmarks

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.txt constraints.txt | .venv/bin/python
	.venv/bin/python -m pip install --quiet -r requirements.txt
	touch $@

.venv/test.stamp: requirements-dev.txt .venv/run.stamp
	.venv/bin/python -m pip install --quiet -r requirements-dev.txt
	touch $@
