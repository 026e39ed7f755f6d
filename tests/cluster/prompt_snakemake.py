"""Snakemake that asks for the state of its jobs every second.

The plugin asks ever more rarely while jobs run, which suits jobs of hours. Only this process is
changed: the jobs on the cluster run Snakemake as it is.
"""

import sys

import snakemake_executor_plugin_slurm as plugin
from snakemake.cli import main

plugin.Executor.next_seconds_between_status_checks = property(
    lambda self: 1.0, lambda self, seconds: None
)
sys.exit(main())
