"""Fixtures of all tests that run the package or Snakemake."""

from project import demo, environment, project, snakemake
from trainer import corpus, parallel_corpus

__all__ = ["corpus", "demo", "environment", "parallel_corpus", "project", "snakemake"]
