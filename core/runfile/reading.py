"""From a file and a command line to one tree of values that know where they come from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from luthier.core.problems import BadRunFile, Place, Problem
from luthier.core.runfile.nodes import COMMAND_LINE, Node, node_of, parse, parse_scalar

_STEP = re.compile(r"[A-Za-z0-9_-]+\Z")


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


def apply_overrides(tree: Node, overrides: Sequence[str]) -> None:
    """Set and drop values of a tree, in place, as the command line says.

    Raises:
        BadRunFile: an override has no such form, or changes what is not there.
    """
    problems: list[Problem] = []
    for override in overrides:
        _apply(tree, override, problems)
    if problems:
        raise BadRunFile(problems)


def _read_extending(path: Path, children: tuple[Path, ...]) -> Node:
    tree = parse(_text_of(path), str(path))
    if not isinstance(tree.value, dict):
        found = "a list" if isinstance(tree.value, list) else "a single value"
        remedy = "Begin with a section, such as `model:` or `data:`; `luthier init` writes a file."
        raise BadRunFile([Problem(tree.place, "", f"expected a mapping, found {found}", remedy)])
    parent = tree.value.pop("extends", None)
    if parent is None or parent.value is None:
        return tree
    if not isinstance(parent.value, str):
        remedy = "Give the path of one run file, relative to this one."
        raise BadRunFile([Problem(parent.place, "extends", "expected a path", remedy)])
    above = (path.parent / parent.value).resolve()
    if above in (*children, path.resolve()):
        remedy = "Take `extends` out of one of the two."
        said = f"{parent.value} extends this file in turn"
        raise BadRunFile([Problem(parent.place, "extends", said, remedy)])
    try:
        base = _read_extending(above, (*children, path.resolve()))
    except BadRunFile as fault:
        raise _told_from(parent, above, fault) from fault
    return merged(base, tree)


def _told_from(parent: Node, above: Path, fault: BadRunFile) -> BadRunFile:
    """Return the fault; where the parent itself is missing, at the place that names it."""
    if above.exists():
        return fault
    only = fault.problems[0]
    return BadRunFile([Problem(parent.place, "extends", only.problem, only.remedy)])


def _text_of(path: Path) -> str:
    place = Place(str(path))
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        said, remedy = "there is no such file", f"Look at the path; {_neighbours(path)}"
    except IsADirectoryError:
        said, remedy = "this is a folder", "Name a run file; a run folder goes to `luthier resume`."
    except PermissionError:
        said, remedy = "the file may not be read", "Give yourself the right to read it (chmod)."
    except UnicodeDecodeError as fault:
        said = f"this is no UTF-8 text (byte {fault.start})"
        remedy = "Save it as UTF-8; a run file is YAML or JSON text."
    except OSError as fault:
        said, remedy = (
            f"the file cannot be read: {fault.strerror}",
            "Look at the path and the disk.",
        )
    raise BadRunFile([Problem(place, "", said, remedy)])


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either."
    near = sorted(p.name for p in path.parent.iterdir() if p.suffix in {".yaml", ".yml", ".json"})
    return f"beside it stand: {', '.join(near[:8]) or 'no run files'}."


def merged(base: Node, over: Node) -> Node:
    """Return `base` with the values of `over` in place of its own; lists are replaced whole.

    A plugin that is chosen by another name does not keep the other one's options.
    """
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    if _name_of(base) != _name_of(over) and _name_of(over) is not None:
        return over
    result = dict(base.value)
    for key, node in over.value.items():
        result[key] = merged(result[key], node) if key in result else node
    return Node(result, over.place, over.key_place)


def _name_of(node: Node) -> object:
    return node.mapping["name"].value if "name" in node.mapping else None


def _apply(tree: Node, override: str, problems: list[Problem]) -> None:
    drop = override.startswith("~")
    key, equals, text = override.removeprefix("~").partition("=")
    path = key.split(".")
    if drop == bool(equals) or not all(_STEP.match(step) for step in path):
        remedy = "Write `key.path=value` to set a value, `~key.path` to drop one."
        problems.append(Problem(COMMAND_LINE, "", f"{override!r} is no override", remedy))
        return
    try:
        value = None if drop else node_of(parse_scalar(text), COMMAND_LINE)
    except BadRunFile as fault:
        problems.extend(fault.problems)
        return
    said = _set(tree, path, value)
    if said:
        problems.append(Problem(COMMAND_LINE, key, said, "Look at the run file's own keys."))


def _set(tree: Node, path: list[str], value: Node | None) -> str | None:
    """Set or drop one value; return what stands in the way, if anything does."""
    node = tree
    for n, step in enumerate(path[:-1]):
        following = _step_into(node, step, create=value is not None)
        if following is None:
            return f"there is no {'.'.join(path[: n + 1])!r} to change"
        node = following
    last = path[-1]
    if isinstance(node.value, list):
        if not last.isdigit() or int(last) >= len(node.value):
            return f"the list has {len(node.value)} items, numbered from 0"
        if value is None:
            del node.value[int(last)]
        else:
            node.value[int(last)] = value
        return None
    if value is None:
        return None if node.mapping.pop(last, None) else "there is no such key to drop"
    return _put(node, last, value)


def _put(node: Node, key: str, value: Node) -> str | None:
    if isinstance(node.value, dict):
        node.value[key] = merged(node.value[key], value) if key in node.value else value
        return None
    return f"{node.value!r} has no keys"


def _step_into(node: Node, step: str, *, create: bool) -> Node | None:
    if isinstance(node.value, list):
        return node.value[int(step)] if step.isdigit() and int(step) < len(node.value) else None
    if not isinstance(node.value, dict):
        return None
    inner = node.value.get(step)
    if (inner is None or inner.value is None) and create:
        inner = node.value[step] = Node({}, COMMAND_LINE)
    elif inner is not None and isinstance(inner.value, str) and create:
        # `tuner: lora` is short for `tuner: {name: lora}`, and takes options like it
        named = Node(inner.value, inner.place)
        inner = node.value[step] = Node({"name": named}, inner.place, inner.key_place)
    return inner
