"""Structured sparsification: weights, gates and neurons of an LSTM, learnt while it trains."""
