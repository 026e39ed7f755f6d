"""g2lstm: train, compress and compare LSTMs whose gates are pushed towards 0 and 1."""

__version__ = "0.1.0"
