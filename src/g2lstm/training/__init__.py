"""What every training run shares: tensors on disk, checkpoints, signals, optimisers, progress."""
