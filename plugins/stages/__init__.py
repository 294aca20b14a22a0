"""Training approaches."""
