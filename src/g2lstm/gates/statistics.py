"""Statistics of gate values (Section 4.4 and Figures 1 and 3 of Li et al., 2018).

Takes NumPy arrays or torch tensors and returns plain numbers, ready for a JSON record.
"""

import numpy as np
import torch

from g2lstm.errors import UserError


class GateHistogram:
    """Histogram of gate values on [0, 1] with ``bins`` bins of equal width, filled batch by batch.

    A bin holds its lower edge; the last one holds 1 as well. Counts are exact integers.
    """

    def __init__(self, bins=20):
        self._counts = torch.zeros(bins, dtype=torch.int64)
        self._sum = 0.0
        self._low = self._high = 0

    def add(self, values, mask=None):
        """Count a batch of gate values of any shape.

        ``mask`` is boolean, with the shape of ``values`` or of its leading dimensions, for instance
        (steps, batch) for values of (steps, batch, units); where it is false nothing is counted.
        Raises UserError when a value is not a number in [0, 1].
        """
        values = torch.as_tensor(values).detach()
        if mask is not None:
            values = values[torch.as_tensor(mask, dtype=torch.bool, device=values.device)]
        values = values.flatten().double()  # v * bins is exact for v of single precision
        if not bool(((values >= 0) & (values <= 1)).all()):
            raise UserError("a gate value is not a number in [0, 1]; the model is broken, train it")
        bins = len(self._counts)
        numbers = (values * bins).long().clamp_(max=bins - 1)
        self._counts += torch.bincount(numbers, minlength=bins).cpu()
        self._sum += float(values.sum())
        self._low += int((values < 0.1).sum())
        self._high += int((values > 0.9).sum())

    def summary(self):
        """Return the statistics of all values added so far.

        ``histogram`` (counts), ``elements`` (their sum), ``mean``, ``below_0.1`` and ``above_0.9``
        (shares of the elements strictly below and above), ``entropy`` (of the shares of the bins,
        in nats; at most the logarithm of the number of bins). Raises UserError when nothing has
        been added.
        """
        elements = int(self._counts.sum())
        if elements == 0:
            raise UserError("no gate values to summarise; the corpus part has no tokens")
        shares = self._counts[self._counts > 0].double() / elements
        return {
            "histogram": self._counts.tolist(),
            "mean": self._sum / elements,
            "below_0.1": self._low / elements,
            "above_0.9": self._high / elements,
            "entropy": max(0.0, -float((shares * shares.log()).sum())),
            "elements": elements,
        }


def area_under_roc(scores, labels):
    """Return the area under the ROC curve of ``scores`` (n) for the boolean ``labels`` (n).

    It is the probability that a positive has a higher score than a negative, where a tie counts one
    half; computed exactly from ranks (Mann-Whitney). None without positives or without negatives.
    """
    scores, labels = _numpy(scores), _numpy(labels).astype(bool)
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    twice_ranks = 2 * np.cumsum(counts) - counts + 1  # tied scores share their mean rank
    twice_wins = int(twice_ranks[inverse][labels].sum()) - positives * (positives + 1)
    return twice_wins / (2 * positives * negatives)


def forget_test(forget_means, labels):
    """Tell how well a low forget gate marks the tokens with a label (a boundary, punctuation).

    ``forget_means`` (n) is the mean of the forget gate over the units at the step that reads each
    token, ``labels`` (n) is boolean. Returns ``auc`` (area under the ROC curve of the score
    ``-forget_means``), ``positives``, ``negatives``, ``lowest_decile_share`` (share of positives
    among the tenth of the tokens with the lowest means, at least one token; tokens that tie with
    the last of them belong to them) and ``overall_share`` (share of positives among all tokens).
    ``auc`` is None without positives or without negatives, the shares are None without tokens.
    """
    means, labels = _numpy(forget_means), _numpy(labels).astype(bool)
    if means.shape != labels.shape or means.ndim != 1:
        raise ValueError(f"one label for each token: {means.shape} means, {labels.shape} labels")
    positives = int(labels.sum())
    lowest_share = overall_share = None
    if len(labels):
        last = max(1, len(means) // 10) - 1
        lowest = means <= np.partition(means, last)[last]
        lowest_share, overall_share = float(labels[lowest].mean()), float(labels.mean())
    return {
        "auc": area_under_roc(-means, labels),
        "positives": positives,
        "negatives": len(labels) - positives,
        "lowest_decile_share": lowest_share,
        "overall_share": overall_share,
    }


def _numpy(values):
    return values.detach().cpu().numpy() if torch.is_tensor(values) else np.asarray(values)
