"""Sentence pairs as text, before they become sub-words."""

from dataclasses import dataclass


@dataclass
class Bitext:
    """The sentence pairs of one split.

    ``tokenised``: language -> lines with words separated by blanks. ``raw``: language -> the same
    sentences untokenised, or None when the corpus exists only tokenised. ``boundaries``: language
    -> per sentence a tuple of 0 and 1, a flag for each token that opens or resumes a clause; None
    where clauses are not known.
    """

    tokenised: dict[str, list[str]]
    raw: dict[str, list[str]] | None = None
    boundaries: dict[str, list[tuple]] | None = None

    def __len__(self):
        return len(self.tokenised["de"])

    def select(self, places):
        """Return the pairs at ``places``, a sequence of indices."""

        def pick(columns):
            return columns and {name: [lines[i] for i in places] for name, lines in columns.items()}

        return Bitext(pick(self.tokenised), pick(self.raw), pick(self.boundaries))
