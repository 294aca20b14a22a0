"""From a file and a command line to one tree of values that know where they come from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from luthier.core.problems import BadRunFile, Place, Problem, described
from luthier.core.runfile.merging import merged
from luthier.core.runfile.nodes import Node, UnusablePath, path_of
from luthier.core.runfile.overrides import apply_overrides
from luthier.core.runfile.parsing import parse

__all__ = ["apply_overrides", "read_tree"]

MOST_NEIGHBOURS = 8


def read_tree(path: Path, overrides: Sequence[str] = ()) -> Node:
    """Return the values of a run file, of the files it extends, and of the command line.

    Args:
        path: a YAML or JSON file.
        overrides: `key.path=value` sets, `~key.path` drops; values are YAML.

    Raises:
        BadRunFile: a file cannot be read, or an override has no such form.
    """
    tree = _read_extending(path, ())
    apply_overrides(tree, overrides)
    return tree


def _read_extending(named: Path, children: tuple[Path, ...]) -> Node:
    path = _tidied(named)
    tree = parse(_text_of(path), str(path))
    if not isinstance(tree.value, dict):
        remedy = "Begin with a section, such as `model:` or `data:`; `luthier init` writes a file."
        said = f"expected a mapping, found {described(tree.value)}"
        raise BadRunFile([Problem(tree.place, "", said, remedy)])
    parent = tree.value.pop("extends", None)
    if parent is None or parent.value is None:
        return tree
    if not isinstance(parent.value, str) or not parent.value:
        remedy = "Give the path of one run file, relative to this one."
        said = f"expected a path, found {described(parent.value)}"
        raise BadRunFile([Problem(parent.place, "extends", said, remedy)])
    try:
        path_of(parent, parent.value)
    except UnusablePath as fault:
        problem = Problem(parent.place, "extends", str(fault), "Name another file.")
        raise BadRunFile([problem]) from fault
    above = path.parent / Path(parent.value).expanduser()
    ancestry = (*children, path.resolve())
    if above.resolve() in ancestry:
        remedy = "Take `extends` out of one of the files in the circle."
        said = f"{parent.value} extends this file in turn"
        if above.resolve() == path.resolve():
            said, remedy = "this file extends itself", "Take the line out, or name another file."
        raise BadRunFile([Problem(parent.place, "extends", said, remedy)])
    if not above.is_file():
        said = f"{above} is a folder" if above.is_dir() else f"there is no file {above}"
        raise BadRunFile([Problem(parent.place, "extends", said, _neighbours(above))])
    return merged(_read_extending(above, ancestry), tree)


def _tidied(path: Path) -> Path:
    """Return a path without its `..`, unless a link on the way makes that another file."""
    tidy = Path(os.path.normpath(path))
    return tidy if tidy.resolve() == path.resolve() else path


def _text_of(path: Path) -> str:
    place = Place(str(path))
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        said, remedy = "there is no such file", _neighbours(path)
    except IsADirectoryError:
        said, remedy = "this is a folder", "Name a run file; a run folder goes to `luthier resume`."
    except PermissionError:
        said, remedy = "the file may not be read", "Give yourself the right to read it (chmod)."
    except OSError as fault:
        said = f"the file cannot be read: {fault.strerror}"
        remedy = "Look at the path and the disk."
    else:
        return _decoded(data, path)
    raise BadRunFile([Problem(place, "", said, remedy)])


def _decoded(data: bytes, path: Path) -> str:
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as fault:
        before = data[: fault.start].decode("utf-8")
        place = Place(str(path), before.count("\n") + 1, len(before) - before.rfind("\n"))
        said = f"this is no UTF-8 text: a byte {data[fault.start]:#04x} stands here"
        remedy = "Save the file as UTF-8; a run file is YAML or JSON text."
        raise BadRunFile([Problem(place, "", said, remedy)]) from fault


def _neighbours(path: Path) -> str:
    """Return what there is where a run file was looked for."""
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {folder} either; look at the path."
    near = sorted(p.name for p in folder.iterdir() if p.suffix in {".yaml", ".yml", ".json"})
    more = f" and {len(near) - MOST_NEIGHBOURS} more" if near[MOST_NEIGHBOURS:] else ""
    shown = ", ".join(near[:MOST_NEIGHBOURS]) or "none"
    return f"Look at the path; run files in that folder: {shown}{more}."
