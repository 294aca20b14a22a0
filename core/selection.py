"""From a name to a plugin: found in the catalogue, imported, checked, given its options."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from luthier.core.errors import LuthierError
from luthier.core.hooks import API_VERSION, PROJECT
from luthier.core.plugin import Plugin, fault_of, unmarked_hooks
from luthier.core.wiring import Selected, manager_of
from luthier.registry import Entry

FILE_TABLE = "ENTRY_POINTS"
"""The name, in an unpackaged plugin file, of its table {"luthier.<kind>": {name: plugin}}."""
TABLE_FORM = f'{FILE_TABLE} = {{"luthier.KIND": {{"NAME": PLUGIN}}}}'
GROUP = "luthier."


def plugin_of(entry: Entry) -> type[Plugin] | Plugin:
    """Return the class, or the ready instance, behind an entry.

    Raises:
        BrokenPlugin: it fails to import, is no plugin, is written for another major version of
            the hook specifications, or declares what cannot be read.
    """
    value = entry.load()
    cls = value if isinstance(value, type) else type(value)
    if not issubclass(cls, Plugin):
        shown = entry.target if entry.value is None else cls.__name__
        reason = f"{shown} is neither a subclass nor an instance of luthier.core.Plugin"
        raise entry.broken(reason)
    if fault := fault_of(cls):
        raise entry.broken(fault)
    if cls.api.partition(".")[0] != API_VERSION.partition(".")[0]:
        reason = (
            f"it is written for version {cls.api} of luthier's hooks, and this is {API_VERSION}"
        )
        raise entry.broken(reason)
    return value  # type: ignore[return-value]


def require_sound_hooks(chosen: Selected) -> None:
    """Have pluggy look at a plugin's hooks.

    Args:
        chosen: the plugin, with the specifications that kinds add to luthier's own.

    Raises:
        BrokenPlugin: a hook's name or signature is not one of the specifications', or a method
            has the name of a hook and is not marked as one.
    """
    names = frozenset(name for one in chosen.specs for name in hooks_specified(one))
    if forgotten := unmarked_hooks(type(chosen.plugin), names):
        # those of luthier's own names are refused when the class is made
        reason = f"{forgotten[0]} has the name of a hook and no @hookimpl"
        raise chosen.entry.broken(reason)
    manager_of([chosen])


def hooks_specified(specs: object) -> list[str]:
    """Return the names of the hooks that a module or class specifies."""
    return [name for name in dir(specs) if hasattr(getattr(specs, name), f"{PROJECT}_spec")]


class BadPluginFile(LuthierError):
    """A file that a run file names under `plugins`, and that offers none."""

    def __init__(self, problem: str, remedy: str) -> None:
        """Keep both, as a run file's problem has them."""
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}. {remedy}")


def entries_of_file(path: Path) -> list[Entry]:
    """Return the plugins of one unpackaged `.py` file.

    The file holds the table that an installed package has in its pyproject.toml:
    `ENTRY_POINTS = {"luthier.tuners": {"norm-tuning": NormTuning}}`.

    Raises:
        BadPluginFile: there is no such file, it has no such table, or it fails to import.
    """
    remedy = "The path is found from the folder of the run file that names it."
    if not path.exists():
        raise BadPluginFile(f"there is no file {path}", remedy)
    if path.suffix != ".py" or not path.is_file():
        raise BadPluginFile(f"{path} is no Python file", "Name a file that ends in .py.")
    table = getattr(_imported(path), FILE_TABLE, None)
    if table is None:
        raise BadPluginFile(f"{path.name} offers nothing", f"Write {TABLE_FORM} into it.")
    return list(_entries(table, path))


class _LeavingNoTrace(SourceFileLoader):
    """Imports a file and writes no `__pycache__` beside it: the folder is the user's."""

    def set_data(self, path: str, data: object, *, _mode: int = 0o666) -> None:
        """Write nothing."""


def _imported(path: Path) -> ModuleType:
    name = f"luthier_file_{path.stem}"
    spec = importlib.util.spec_from_loader(name, _LeavingNoTrace(name, str(path)))
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - it was just given
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its classes must be found again by name, to be pickled
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as fault:  # a stranger's file may raise anything
        del sys.modules[name]
        text = fault.msg if isinstance(fault, SyntaxError) else str(fault)
        said = " ".join(text.split()) or "no reason given"
        line = _line_in(path, fault)
        raise BadPluginFile(
            f"{path.name} fails{line}: {type(fault).__name__}: {said}", "Mend that file."
        ) from fault
    return module


def _line_in(path: Path, fault: BaseException) -> str:
    """Return where in the file it failed, as " at line N"; empty where that is not known."""
    line = fault.lineno if isinstance(fault, SyntaxError) else None
    trace = fault.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f" at line {line}"


def _entries(table: object, path: Path) -> Iterable[Entry]:
    groups = table.items() if isinstance(table, Mapping) else [(None, None)]
    group: Any
    for group, offered in groups:
        named = str(group).startswith(GROUP) and isinstance(offered, Mapping)
        if not named or not offered or not all(isinstance(name, str) for name in offered):
            said = f"{FILE_TABLE} of {path.name} is no table of kinds, names and plugins"
            raise BadPluginFile(said, f"Write it as {TABLE_FORM}.")
        for name, value in offered.items():
            target = f"luthier_file_{path.stem}:{FILE_TABLE}"
            yield Entry(group.removeprefix(GROUP), name, target, path.name, "file", value)
