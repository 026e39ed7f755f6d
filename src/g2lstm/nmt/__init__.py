"""Neural machine translation with gated LSTMs: model, training, beam search and BLEU."""
