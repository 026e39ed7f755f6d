"""What there is of all runs of a configuration, from records, histories and locks alone."""
