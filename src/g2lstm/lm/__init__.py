"""The language-model task: AWD-LSTM with a gate policy, its training recipe and evaluation."""
