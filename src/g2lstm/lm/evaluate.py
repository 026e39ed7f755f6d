"""Perplexity of a language model on a stream of tokens, with and without the continuous cache."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from g2lstm.errors import UserError
from g2lstm.lm import cache
from g2lstm.lm.perplexity import summarise

TOKENS_PER_CHUNK = 2000
MINIMAL_ROWS = 3


@dataclass(frozen=True)
class Stream:
    """What a model says of a stream: per predicted token its log-probability (nats).

    ``log_probability`` is (rows - 1, batch); ``hidden`` the states that predict, (rows - 1, batch,
    units); ``targets`` the predicted tokens.
    """

    log_probability: torch.Tensor
    hidden: torch.Tensor
    targets: torch.Tensor


def batchify(tokens, batch, device="cpu"):
    """Cut a stream into ``batch`` columns, (rows, batch); the remainder is left out.

    Raises UserError when a column would hold nothing to predict.
    """
    tokens = torch.as_tensor(tokens, dtype=torch.long)
    rows = len(tokens) // batch
    if rows < MINIMAL_ROWS:
        raise UserError(
            f"a batch of {batch} columns is too many for {len(tokens)} tokens; "
            "lower batch, valid_batch or test_batch"
        )
    return tokens[: rows * batch].view(batch, rows).T.contiguous().to(device)


@torch.no_grad()
def read_stream(model, columns, keep_hidden=True):
    """Run ``model`` (in test mode) over ``columns`` (rows, batch), the state carried throughout."""
    rows, batch = columns.shape
    state = model.initial_state(batch)
    log_probability, hidden = [], []
    chunk = max(1, TOKENS_PER_CHUNK // batch)
    for start in range(0, rows - 1, chunk):
        stop = min(start + chunk, rows - 1)
        x, _, state = model(columns[start:stop], state)
        targets = columns[start + 1 : stop + 1]
        loss = F.cross_entropy(
            model.logits(x).flatten(0, 1), targets.flatten(), reduction="none"
        ).view_as(targets)
        log_probability.append(-loss)
        if keep_hidden:
            hidden.append(x)
    return Stream(
        torch.cat(log_probability), torch.cat(hidden) if keep_hidden else None, columns[1:]
    )


def nats_per_token(model, columns):
    """Return the mean negative log-probability over all predicted tokens of ``columns``."""
    stream = read_stream(model, columns, keep_hidden=False)
    return -stream.log_probability.double().mean().item()


def evaluate(model, splits, settings):
    """Evaluate ``model`` on ``splits`` (name -> token ids).

    ``settings`` is the ``lm.evaluation`` section of the configuration. Returns two dictionaries
    of metrics by split, without and with the cache. The cache reads one column; without it the
    batch of the split is used. With a grid the cache is tuned on the validation split and the
    result for each split stands under ``tuned``.
    """
    plain, cached, streams = {}, {}, {}
    device = model.decoder["bias"].device
    window, theta, weight = (settings["cache"][name] for name in ("window", "theta", "lambda"))
    batches = {"valid": settings["valid_batch"], "test": settings["test_batch"]}
    for split, tokens in splits.items():
        streams[split] = single = read_stream(model, batchify(tokens, 1, device))
        if batches[split] == 1:
            plain[split] = summarise(single.log_probability)
        else:
            stream = read_stream(model, batchify(tokens, batches[split], device), keep_hidden=False)
            plain[split] = summarise(stream.log_probability)
        cached[split] = cache.evaluate(single, window, theta, weight)
    grid = settings["cache"]["grid"]
    if grid is not None and "valid" in streams:
        pair, results = cache.tune(streams, window, grid["theta"], grid["lambda"])
        for split, metrics in results.items():
            cached[split]["tuned"] = {**pair, **metrics}
    return plain, cached


def evaluate_sparse(model, corpus, settings):
    """Return the metrics of ``model``, any language model, on validation and test text.

    ``settings``: ``valid_batch`` and ``test_batch``, columns of each split.
    """
    device = next(model.parameters()).device
    streams = {}
    for split in ("valid", "test"):
        columns = batchify(corpus.splits[split], settings[f"{split}_batch"], device)
        streams[split] = read_stream(model, columns, keep_hidden=False)
    return {split: summarise(stream.log_probability) for split, stream in streams.items()}
