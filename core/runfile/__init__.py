"""The run file: reading, resolving, explaining and writing it. Nothing here imports torch."""

from luthier.core.runfile.reading import read_tree
from luthier.core.runfile.resolving import resolve
from luthier.core.runfile.run import Run

__all__ = ["Run", "read_tree", "resolve"]
