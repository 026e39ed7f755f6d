"""Values of input and forget gates in a trained model: statistics, and words they are read for."""
