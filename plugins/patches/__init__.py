"""Single changes to the model."""
