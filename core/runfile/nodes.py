"""A tree of values in which every value knows where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from luthier.core.errors import LuthierError
from luthier.core.problems import Place, cut

Scalar: TypeAlias = str | int | float | bool | None

COMMAND_LINE = Place("command line")
DEFAULT = Place("default")


class Node:
    """A value and its place: a scalar, a list of nodes, or a mapping of keys to nodes."""

    def __init__(
        self,
        value: Scalar | list[Node] | dict[str, Node],
        place: Place,
        key_place: Place | None = None,
    ) -> None:
        """Hold `value`, which stands at `place`, its key (in a mapping) at `key_place`."""
        self.value = value
        self.place = place
        self.key_place = key_place or place

    @property
    def mapping(self) -> dict[str, Node]:
        """The keys of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """The items of a list; empty for anything else."""
        return self.value if isinstance(self.value, list) else []

    def plain(self) -> Any:
        """Return the value without places, as JSON would have it."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, path: tuple[str | int, ...]) -> Node:
        """Return the node at `path`, or the deepest one on the way that there is."""
        node = self
        for step in path:
            if isinstance(step, int) and step < len(node.items):
                node = node.items[step]
            elif step in node.mapping:
                node = node.mapping[str(step)]
            else:
                break
        return node

    def copy(self) -> Node:
        """Return a copy whose lists and mappings may be changed."""
        if isinstance(self.value, dict):
            return Node({k: n.copy() for k, n in self.value.items()}, self.place, self.key_place)
        if isinstance(self.value, list):
            return Node([n.copy() for n in self.value], self.place, self.key_place)
        return Node(self.value, self.place, self.key_place)

    def leaves(self, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Node]]:
        """Yield each scalar (and each empty list or mapping) with its dotted key."""
        steps: list[tuple[str | int, Node]]
        steps = [*self.mapping.items()] if self.mapping else [*enumerate(self.items)]
        if not steps:
            yield dotted(path), self
        for step, node in steps:
            yield from node.leaves((*path, step))


def dotted(path: tuple[str | int, ...]) -> str:
    """Return a path as a user writes it: `data.0.path`."""
    return ".".join(map(str, path))


def path_to(key: str) -> tuple[str | int, ...]:
    """Return the path that `dotted` gave as a key."""
    return tuple(int(part) if part.isdecimal() else part for part in key.split("."))


def opened(node: Node, path: tuple[str | int, ...]) -> Node:
    """Return a text in its long form: `tuner: lora` is short for `tuner: {name: lora}`.

    Anything but a text is returned as it is.

    Args:
        node: what stands in the run file.
        path: where it stands; a model and a dataset are named by their path, a plugin by its name.
    """
    if not isinstance(node.value, str):
        return node
    by_path = path in {("model",), ("data",), ("validation",)} or path[:-1] == ("data",)
    return Node(
        {"path" if by_path else "name": Node(node.value, node.place)}, node.place, node.key_place
    )


def base_of(node: Node) -> Path:
    """Return the folder that a relative path is found from: that of the file which names it."""
    file = Path(node.place.origin)
    return file.parent.resolve() if node.place.line is not None and file.is_file() else Path.cwd()


class UnusablePath(LuthierError):
    """A path that the system refuses even to look for."""


def path_of(node: Node, text: str) -> Path:
    """Return the whole path that `text` stands for; whether there is something, it leaves open.

    Args:
        node: what names the path: a relative one is found from the folder of its file.
        text: the path.

    Raises:
        UnusablePath: the system refuses to look for it.
    """
    try:
        path = (base_of(node) / Path(text).expanduser()).resolve()
        path.exists()
    except OSError as fault:
        raise UnusablePath(f"{cut(text)!r} cannot be looked for: {fault.strerror}") from fault
    except (ValueError, RuntimeError) as fault:
        # a NUL in it; a home of nobody, or links that go round in a circle
        raise UnusablePath(f"{cut(text)!r} cannot be looked for: {fault}") from fault
    return path


def node_of(value: Any, place: Place) -> Node:
    """Return plain data as a tree that stands at one place throughout."""
    if isinstance(value, dict):
        return Node({str(k): node_of(v, place) for k, v in value.items()}, place)
    if isinstance(value, list | tuple):
        return Node([node_of(v, place) for v in value], place)
    if isinstance(value, Path):
        return Node(str(value), place)
    return Node(value, place)
