"""A run: its folder, its manifest, what executes it, and the functions of a program."""
