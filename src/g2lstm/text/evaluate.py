"""Accuracy of text classifiers."""

import torch

from g2lstm.text.model import classify, cross_entropy, read_batch


@torch.no_grad()
def measure(model, split, batch):
    """Return the metrics of ``model`` on a :class:`g2lstm.data.texts.TextSplit`.

    ``accuracy`` in percent; ``nats`` the mean cross-entropy; ``texts`` their number. ``batch``
    texts are read at once.
    """
    device = model.decoder.weight.device
    nats, right = 0.0, 0
    for start in range(0, len(split), batch):
        chosen = range(start, min(start + batch, len(split)))
        tokens, kept, labels = read_batch(split, chosen, device)
        logits = model(tokens, kept)
        nats += cross_entropy(logits, labels, reduction="none").double().sum().item()
        right += (classify(logits) == labels).sum().item()
    return {"accuracy": 100 * right / len(split), "nats": nats / len(split), "texts": len(split)}


def evaluate(model, corpus, settings):
    """Return the metrics of ``model`` on validation and test data.

    ``settings``: ``valid_batch`` and ``test_batch``, texts read at once.
    """
    return {
        split: measure(model, corpus.splits[split], settings[f"{split}_batch"])
        for split in ("valid", "test")
    }
