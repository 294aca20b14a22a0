"""What the command line changes in a run file: `key.path=value` and `~key.path`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from luthier.core.errors import LuthierError
from luthier.core.problems import BadRunFile, Problem, described
from luthier.core.runfile.merging import merged
from luthier.core.runfile.nodes import COMMAND_LINE, Node, dotted, node_of, opened
from luthier.core.runfile.parsing import parse_scalar

Steps = tuple[str, ...]

_STEP = re.compile(r"[\w-]+\Z")


class _Blocked(LuthierError):
    """An override that changes what is not there, or what has no keys."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


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


def _apply(tree: Node, override: str, problems: list[Problem]) -> None:
    drop = override.startswith("~")
    key, equals, text = override.removeprefix("~").partition("=")
    steps = tuple(key.split("."))
    if drop == bool(equals) or not all(_STEP.match(step) for step in steps):
        remedy = "Write `key.path=value` to set a value, `~key.path` to drop one."
        problems.append(Problem(COMMAND_LINE, "", f"{override!r} is no override", remedy))
        return
    try:
        holder = _holder(tree, steps, create=not drop)
        if drop:
            _drop(holder, steps)
        else:
            _set(holder, steps, node_of(parse_scalar(text), COMMAND_LINE))
    except _Blocked as fault:
        problems.append(Problem(COMMAND_LINE, key, fault.problem, fault.remedy))
    except BadRunFile as fault:
        # the value's own line and column say little of a command line
        problems.extend(Problem(COMMAND_LINE, key, p.problem, p.remedy) for p in fault.problems)


def _holder(tree: Node, steps: Steps, *, create: bool) -> Node:
    """Return the mapping or list whose item the last step names; `create` makes what is missing."""
    node = tree
    for n, step in enumerate(steps[:-1]):
        path = steps[: n + 1]
        if path == ("data",):
            _list_data(tree, steps)
        node = _inner(node, step, path, create=create)
    return node


def _list_data(tree: Node, steps: Steps) -> None:
    """Put a lone dataset into a list where the command line counts, as messages do too."""
    data = tree.mapping.get("data")
    if data is not None and not isinstance(data.value, list | None) and steps[1].isdigit():
        tree.mapping["data"] = Node([Node(data.value, data.place)], data.place, data.key_place)


def _inner(node: Node, step: str, path: Steps, *, create: bool) -> Node:
    if isinstance(node.value, list):
        index = _index(node, step, path)
        inner = node.value[index] = opened(node.value[index], (*path[:-1], index))
        return inner
    found = node.mapping.get(step)
    if (found is None or found.value is None) and not create:
        raise _Blocked(f"there is no {dotted(path)!r} to change", _what_there_is(node))
    if found is None or found.value is None:
        found = Node({}, COMMAND_LINE)
    found = opened(found, path)
    if not isinstance(found.value, dict | list):
        said = f"{dotted(path)!r} is {described(found.value)}, and has no keys"
        raise _Blocked(said, f"Set it as a whole: `{dotted(path)}=VALUE`.")
    node.mapping[step] = found
    return found


def _index(node: Node, step: str, path: Steps) -> int:
    count = len(node.items)
    if step.isdigit() and int(step) < count:
        return int(step)
    holder = dotted(path[:-1])
    if not count:
        raise _Blocked(f"the list {holder!r} is empty", f"Set it as a whole: `{holder}=[VALUE]`.")
    counted = "1 item, number 0" if count == 1 else f"{count} items, numbers 0 to {count - 1}"
    said = f"the list {holder!r} has {counted}"
    raise _Blocked(said, f"Name one of those, or set the list as a whole: `{holder}=[VALUE]`.")


def _set(holder: Node, steps: Steps, value: Node) -> None:
    if isinstance(holder.value, list):
        holder.value[_index(holder, steps[-1], steps)] = value
        return
    there = holder.mapping.get(steps[-1])
    holder.mapping[steps[-1]] = value if there is None else merged(there, value, steps)


def _drop(holder: Node, steps: Steps) -> None:
    if isinstance(holder.value, list):
        del holder.value[_index(holder, steps[-1], steps)]
    elif steps[-1] in holder.mapping:
        del holder.mapping[steps[-1]]
    else:
        raise _Blocked(f"there is no {dotted(steps)!r} to drop", _what_there_is(holder))


def _what_there_is(holder: Node) -> str:
    return f"There is: {', '.join(holder.mapping) or 'nothing'}."
