"""The verbs about sparse models, from files to files: export, time, gradients over the time lag."""

import time

import torch

from g2lstm.records import file_sha256, write_provenance, write_record
from g2lstm.sparsify import lags, speed
from g2lstm.sparsify.export import load_exported
from g2lstm.sparsify.kinds import kind_of
from g2lstm.sparsify.models import filled, read_exported, read_model
from g2lstm.stages import hashes_of
from g2lstm.training import device


def export(model, corpus, labels, settings, exported, record, device_name="auto", threads=None):
    """Export the small model of a sparse one, evaluate it, and write its record.

    Parameters
    ----------
    exported, record : output files
    settings : the section ``evaluation`` of a sparse task
    other parameters : as of :func:`evaluate`
    """
    chosen = device.choose(device_name, threads)
    started = time.monotonic()
    kind = kind_of(labels["task"])
    size = kind.export(model, exported)
    arrays, meta = load_exported(exported)
    network = filled(kind.empty, arrays, chosen)
    size |= _choices(meta["job"])
    gates = {"gates": kind.gate_map(arrays)} if kind.gate_map else {}
    facts = {
        "metrics": kind.evaluate(network, kind.load(corpus), settings),
        "size": size,
        **gates,
        "evaluation": settings,
        "data": hashes_of(corpus, model),
    }
    _write(record, labels, "plain", facts, started, chosen)


def measure_speed(model, exported, corpus, labels, record, device_name="auto", threads=None):
    """Time a forward pass of an exported model beside the dense one, and write its record.

    Parameters are as of :func:`export`, but that ``exported`` is an input here.
    """
    chosen = device.choose(device_name, threads)
    started = time.monotonic()
    kind = kind_of(labels["task"])
    text = kind.load(corpus)
    networks = (
        read(kind.empty, path, chosen)[0]
        for read, path in ((read_model, model), (read_exported, exported))
    )
    facts = {
        "metrics": {"-": speed.measure(*(kind.forward(network, text) for network in networks))},
        "threads": torch.get_num_threads(),
        "data": {"model": file_sha256(model), "exported": file_sha256(exported)},
    }
    _write(record, labels, "speed", facts, started, chosen)


def record_lags(model, exported, corpus, labels, record, device_name="auto", threads=None):
    """Record how far back in time the neurons of an exported model's last layer look.

    Parameters are as of :func:`export`, but that ``exported`` is an input here.
    """
    chosen = device.choose(device_name, threads)
    started = time.monotonic()
    kind = kind_of(labels["task"])
    arrays, _ = load_exported(exported)
    network = filled(kind.empty, arrays, chosen)
    run, x = kind.last_layer(network, kind.load(corpus), lags.LAGS + 1, lags.WINDOWS)
    norms = lags.gradient_norms(run, x)
    live = kind.gate_map(arrays)[-1]["live"]
    facts = {
        "metrics": {"valid": lags.far_shares(norms, live)},
        "windows": x.shape[1],
        "live": live,
        "norms": [[float(f"{norm:.4g}") for norm in row] for row in norms.tolist()],
        "data": hashes_of(corpus, model) | {"exported": file_sha256(exported)},
    }
    _write(record, labels, "lags", facts, started, chosen)


def _write(record, labels, mode, facts, started, chosen):
    """Write the record of an uncompressed model, and where it comes from."""
    key = {"kind": "evaluation", "setting": "original", "mode": mode}
    write_record(record, {**labels, **key, **facts})
    write_provenance(record, started, **device.facts(chosen))


def _choices(job):
    """Return what a table shows of a sparse model's job: the strength λ1, and the keep ratio if
    there is but one.
    """
    dropout = job["model"].get("dropout", 0.0)
    keep = {} if isinstance(dropout, dict) else {"keep": 1.0 - dropout}
    return {**keep, "lambda1": job["method"].get("lambda1", 0.0)}
