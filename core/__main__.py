"""`python -m luthier.core`: the command line."""

from luthier.core.cli import main

main()
