"""Tiny recurrent highway models that tests share."""

import torch

from g2lstm.lm.highway import HighwayLanguageModel

HIDDEN, DEPTH, WORDS = 5, 3, 20
CPU = torch.device("cpu")


def tiny(dropout=None, seed=1):
    torch.manual_seed(seed)
    model = HighwayLanguageModel(WORDS, HIDDEN, DEPTH, dropout)
    model.initialise(0.5, -1.0)
    return model.double()
