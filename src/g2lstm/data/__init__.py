"""Data: fetching, reading, vocabularies and the synthetic language of the demo."""
