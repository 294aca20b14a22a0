"""The optimizers of torch behind the plugins: equations of papers, one file each."""
