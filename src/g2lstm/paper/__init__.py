"""From the JSON records of runs to the paper's tables, figures, comparison and claims."""
