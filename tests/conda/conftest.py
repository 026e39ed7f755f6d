"""What the test with conda shares with the others."""

from project import environment

__all__ = ["environment"]
