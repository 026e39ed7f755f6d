"""Post-training compression of the input and forget gates (Li et al., ICML 2018, section 4.3)."""
