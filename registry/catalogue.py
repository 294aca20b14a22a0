"""The installed plugins, by kind and name."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator, Mapping

from luthier.registry.entry import Entry
from luthier.registry.errors import AmbiguousPlugin, UnknownPlugin

GROUP = "luthier."


class Catalogue:
    """An immutable table of entries. Reading it imports no plugin."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Sort `entries` by kind and name; one that is met twice counts once."""
        table: dict[str, dict[str, dict[str, Entry]]] = {}
        for entry in entries:
            owners = table.setdefault(entry.kind, {}).setdefault(entry.name, {})
            owners[entry.distribution] = entry
        self._table = {
            kind: {name: list(owners.values()) for name, owners in sorted(names.items())}
            for kind, names in sorted(table.items())
        }

    @classmethod
    def installed(cls) -> Catalogue:
        """Return the catalogue of every entry point whose group begins with `luthier.`."""
        return cls(entry for dist in _distributions() for entry in Entry.of(dist, GROUP))

    def adding(self, entries: Iterable[Entry]) -> Catalogue:
        """Return this catalogue and `entries` beside."""
        return Catalogue([*self, *entries])

    def __iter__(self) -> Iterator[Entry]:
        """Go through all entries, by kind, then name."""
        for names in self._table.values():
            for owners in names.values():
                yield from owners

    def names(self, kind: str) -> list[str]:
        """Return the names of a kind in alphabetical order; empty for a kind with no plugin."""
        return list(self._table.get(kind, {}))

    def kinds_of(self, name: str) -> list[str]:
        """Return the kinds that have a plugin of this name."""
        return [kind for kind, names in self._table.items() if name in names]

    def find(self, kind: str, name: str) -> Entry:
        """Return the one entry of this kind and name, or of `distribution:name`.

        Raises:
            UnknownPlugin: nobody offers it; the message has the nearest name and what there is.
            AmbiguousPlugin: two distributions offer it and `name` does not say which.
        """
        names: Mapping[str, list[Entry]] = self._table.get(kind, {})
        wanted, _, plain = name.rpartition(":")
        owners = [e for e in names.get(plain, []) if wanted in {"", e.distribution}]
        if not owners:
            others = [k for k in self.kinds_of(plain) if k not in {kind, "defaults"}]
            raise UnknownPlugin(kind, name, list(names), others)
        if len(owners) > 1:
            raise AmbiguousPlugin(kind, plain, [entry.distribution for entry in owners])
        return owners[0]

    def default(self, kind: str, key: str | None = None) -> str:
        """Return the name that a distribution gives as a default: it means its own plugin first.

        Args:
            kind: the kind of the plugin.
            key: the default's own name, where it is not that of the kind.

        Raises:
            UnknownPlugin: nobody gives one.
            AmbiguousPlugin: two distributions give one.
        """
        given = self.find("defaults", key or kind)
        owners = [e.distribution for e in self._table.get(kind, {}).get(given.target, [])]
        if len(owners) > 1 and given.distribution in owners:
            return f"{given.distribution}:{given.target}"
        return given.target


def _distributions() -> Iterator[importlib.metadata.Distribution]:
    """Yield the installed distributions that have entry points of ours, the first of a name."""
    seen = set()
    for dist in importlib.metadata.distributions():
        # the file is searched as text before anything is parsed: hundreds have no group of ours
        if f"[{GROUP}" not in (dist.read_text("entry_points.txt") or ""):
            continue
        # what an interrupted installation left has no name; it is not installed
        facts = dist.read_text("METADATA") or dist.read_text("PKG-INFO")
        name = dist.metadata["Name"] if facts else None
        if name is not None and name not in seen:
            seen.add(name)
            yield dist
