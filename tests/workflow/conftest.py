"""Fixtures of all tests that run the package or Snakemake."""

from project import environment, project, snakemake
from trainer import corpus, parallel_corpus

__all__ = ["corpus", "environment", "parallel_corpus", "project", "snakemake"]
