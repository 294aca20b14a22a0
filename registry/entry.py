"""One name of one kind, and where the object behind it is to be imported from."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass, field
from functools import reduce

from luthier.registry.errors import BrokenPlugin


@dataclass(frozen=True)
class Entry:
    """A plugin's name and address; nothing is imported until `load` is called."""

    kind: str
    """The plugin's kind, in the plural: `tuners`."""
    name: str
    """The plugin's name within its kind: `lora`."""
    target: str
    """`module:attribute`, as the entry point gives it."""
    distribution: str
    """The distribution that offers it."""
    version: str
    """That distribution's version."""
    value: object | None = field(default=None, repr=False, compare=False)
    """The object itself, where it comes from a file that is no distribution."""

    def load(self) -> object:
        """Return the object, imported now if it was not before.

        Raises:
            BrokenPlugin: the import failed; the reason is in the message, the traceback its cause.
        """
        if self.value is not None:
            return self.value
        module, _, attribute = self.target.partition(":")
        try:
            return reduce(getattr, attribute.split("."), importlib.import_module(module))
        except (Exception, SystemExit) as fault:  # a stranger's module may raise anything at import
            said = " ".join(str(fault).split())
            reason = f"{type(fault).__name__}: {said}" if said else type(fault).__name__
            raise self.broken(reason) from fault

    def broken(self, reason: str) -> BrokenPlugin:
        """Return the error that says why the object cannot be used."""
        installed = self.value is None
        return BrokenPlugin(self.kind, self.name, self.distribution, reason, installed=installed)

    @classmethod
    def of(cls, dist: importlib.metadata.Distribution, prefix: str) -> list[Entry]:
        """Return the entries of a distribution, one for each entry point of a group `prefix...`."""
        owner, version = dist.name, dist.version  # each look parses the whole metadata anew
        return [
            cls(
                point.group.removeprefix(prefix),
                point.name,
                # `module:attribute [extra]` is allowed still, and nobody asks for the extra
                point.value.partition("[")[0].strip(),
                owner,
                version,
            )
            for point in dist.entry_points
            if point.group.startswith(prefix)
        ]
