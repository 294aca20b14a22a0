"""Plugins for Luthier by somebody else, one file each. They import luthier.core only."""
