"""Observers of a training run."""
