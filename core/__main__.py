"""`python -m luthier.core`: the command line."""

from luthier.core.cli.application import main

main()
