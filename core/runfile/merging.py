"""One tree of values over another: a run file over the one that it extends."""

from __future__ import annotations

from luthier.core.runfile.nodes import Node, opened


def merged(base: Node, over: Node, path: tuple[str | int, ...] = ()) -> Node:
    """Return `base` with the values of `over` in place of its own; lists are replaced whole.

    A plugin that is chosen by another name does not keep the other one's options. A name alone is
    short for a mapping: over `tuner: lora`, a `tuner: {rank: 4}` is an option of lora, and under
    `tuner: lora`, so is one of `tuner: {name: lora, rank: 4}`.
    """
    if isinstance(over.value, dict) and isinstance(base.value, str) and path:
        base = opened(base, path)
    elif isinstance(base.value, dict) and over.value is not None and over.value == _name_of(base):
        over = opened(over, path)
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    if _name_of(over) not in {None, _name_of(base)}:
        return over
    result = dict(base.value)
    for key, node in over.value.items():
        result[key] = merged(result[key], node, (*path, key)) if key in result else node
    return Node(result, over.place, over.key_place)


def _name_of(node: Node) -> str | None:
    name = node.mapping["name"].value if "name" in node.mapping else None
    return name if isinstance(name, str) else None
