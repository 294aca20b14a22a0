"""The model: what its layers are, how it is loaded, patched, adapted and saved."""
