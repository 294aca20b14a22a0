"""Luthier's own plugins: a folder for each kind, a file for each plugin.

They are found by entry point, exactly as a stranger's are, and import nothing but luthier.core.
"""
