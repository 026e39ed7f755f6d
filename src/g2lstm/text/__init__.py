"""Text classification: an LSTM that reads a whole text, dense or Bayesian; its training."""
