"""Batches of sentence pairs: shuffled, bucketed by length, padded."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Batch:
    """Padded sentences: ``source`` and ``target`` (steps, batch) int64, padded with 0.

    ``source_lengths`` and ``target_lengths`` (batch) count the end of sentence.
    """

    source: torch.Tensor
    source_lengths: torch.Tensor
    target: torch.Tensor
    target_lengths: torch.Tensor


def epoch_order(source_lengths, target_lengths, batch, bucket, seed):
    """Return the batches of one epoch, each an array of sentence numbers.

    Sentences are shuffled by ``seed``; ``bucket`` batches' worth at a time are sorted by target
    length and handed out from the longest.
    """
    shuffled = np.random.default_rng(seed).permutation(len(source_lengths))
    batches = []
    for start in range(0, len(shuffled), batch * bucket):
        window = shuffled[start : start + batch * bucket]
        order = np.lexsort((-source_lengths[window], -target_lengths[window]))
        batches += np.split(window[order], range(batch, len(window), batch))
    return batches


def by_length(lengths, batch):
    """Return batches of sentence numbers for evaluation, the longest sentences first."""
    order = np.argsort(-lengths, kind="stable")
    return np.split(order, range(batch, len(order), batch))


def pad(tokens, offsets, sentences):
    """Return ``sentences`` of a flat array as (steps, batch) int64, padded with 0, and lengths."""
    starts = offsets[sentences]
    lengths = offsets[sentences + 1] - starts
    position = np.arange(lengths.max())[:, None]
    words = position < lengths
    padded = np.where(words, tokens[np.where(words, starts + position, 0)], 0)
    return torch.from_numpy(padded.astype(np.int64)), torch.from_numpy(lengths.astype(np.int64))


def make_batch(split, sentences, device):
    """Return the :class:`Batch` of ``sentences`` (numbers) of a split of a parallel corpus."""
    source, source_lengths = pad(split.source, split.source_offsets, sentences)
    target, target_lengths = pad(split.target, split.target_offsets, sentences)
    return Batch(*(x.to(device) for x in (source, source_lengths, target, target_lengths)))
