"""Names to lazily loaded plugins, read from the metadata of installed distributions.

This package finds and imports; it knows nothing of what a plugin is. `luthier.core` says which
object is a plugin and wires it into a run.
"""

from luthier.registry.catalogue import Catalogue
from luthier.registry.entry import Entry
from luthier.registry.errors import AmbiguousPlugin, BrokenPlugin, LuthierError, UnknownPlugin

__all__ = [
    "AmbiguousPlugin",
    "BrokenPlugin",
    "Catalogue",
    "Entry",
    "LuthierError",
    "UnknownPlugin",
]
