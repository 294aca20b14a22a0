"""What scores the answers that a model gives in training."""
