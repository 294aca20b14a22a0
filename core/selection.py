"""From a name to a plugin: found in the catalogue, imported, checked, given its options."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from luthier.core.errors import BrokenPlugin, LuthierError
from luthier.core.hooks import API_VERSION
from luthier.core.plugin import Plugin
from luthier.registry import Catalogue, Entry

FILE_TABLE = "ENTRY_POINTS"
"""The name, in an unpackaged plugin file, of its table {"luthier.<kind>": {name: plugin}}."""


def plugin_of(entry: Entry) -> type[Plugin] | Plugin:
    """Return the class, or the ready instance, behind an entry.

    Raises:
        BrokenPlugin: it fails to import, is no plugin, or is written for another major version
            of the hook specifications.
    """
    value = entry.load()
    cls = value if isinstance(value, type) else type(value)
    if not issubclass(cls, Plugin):
        reason = f"{entry.target} is neither a subclass nor an instance of luthier.core.Plugin"
        raise BrokenPlugin(entry.kind, entry.name, entry.distribution, reason)
    if cls.api.partition(".")[0] != API_VERSION.partition(".")[0]:
        reason = (
            f"it is written for version {cls.api} of luthier's hooks, and this is {API_VERSION}"
        )
        raise BrokenPlugin(entry.kind, entry.name, entry.distribution, reason)
    return value  # type: ignore[return-value]


def entries_of_file(path: Path) -> list[Entry]:
    """Return the plugins of one unpackaged `.py` file.

    The file holds the table that an installed package has in its pyproject.toml:
    `ENTRY_POINTS = {"luthier.tuners": {"bitfit": BitFit}}`.

    Raises:
        LuthierError: there is no such file, it has no such table, or it fails to import.
    """
    if path.suffix != ".py" or not path.is_file():
        raise LuthierError(f"{path} is no Python file")
    name = f"luthier_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - true of any .py file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its classes must be found again by name, to be pickled
    probe = Entry("files", path.stem, f"{name}:{FILE_TABLE}", path.name, "", None)
    try:
        spec.loader.exec_module(module)
    except Exception as fault:  # noqa: BLE001 - a stranger's file may raise anything
        raise LuthierError(f"{path.name} fails: {type(fault).__name__}: {fault}") from fault
    table = getattr(module, FILE_TABLE, None)
    if not isinstance(table, dict) or not table:
        raise LuthierError(
            f'{path.name} offers nothing; write {FILE_TABLE} = {{"luthier.KIND": {{"NAME": PLUGIN}}}}'
        )
    return [
        Entry(group.removeprefix("luthier."), key, probe.target, path.name, "file", value)
        for group, offered in table.items()
        for key, value in offered.items()
    ]
