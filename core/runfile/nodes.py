"""YAML and JSON as a tree in which every value knows where it comes from.

YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema): `1e-4` is a number, `no` is text, and a
key that stands twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from luthier.core.problems import BadRunFile, Place, Problem

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node as YamlNode

Scalar: TypeAlias = str | int | float | bool | None

COMMAND_LINE = Place("command line")
DEFAULT = Place("default")

MOST_NODES = 100_000
MOST_LEVELS = 50

_CORE = "tag:yaml.org,2002:"
_SCALARS = {"null", "bool", "int", "float", "str", "timestamp"}  # a date is read as text
_NULL = re.compile(r"(~|null|Null|NULL|)\Z")
_BOOL = re.compile(r"(true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_BASED_INT = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INF = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")


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


def base_of(node: Node) -> Path:
    """Return the folder that a relative path is found from: that of the file which names it."""
    file = Path(node.place.origin)
    return file.parent.resolve() if node.place.line is not None and file.is_file() else Path.cwd()


def node_of(value: Any, place: Place) -> Node:
    """Return plain data as a tree that stands at one place throughout."""
    if isinstance(value, dict):
        return Node({str(k): node_of(v, place) for k, v in value.items()}, place)
    if isinstance(value, list | tuple):
        return Node([node_of(v, place) for v in value], place)
    if isinstance(value, Path):
        return Node(str(value), place)
    return Node(value, place)


def parse(text: str, origin: str) -> Node:
    """Return YAML or JSON text as a tree; an empty text is an empty mapping.

    Args:
        text: the whole file.
        origin: what to call it in messages.

    Raises:
        BadRunFile: the text is no YAML, or a key stands twice.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        place = Place(origin, mark.line + 1, mark.column + 1) if mark else Place(origin)
        said = " ".join(filter(None, (fault.context, fault.problem)))
        raise BadRunFile(
            [Problem(place, "", f"this is no YAML: {said}", _syntax_remedy(said))]
        ) from fault
    except YAMLError as fault:
        said = " ".join(str(fault).split())
        problem = Problem(Place(origin), "", f"this is no YAML: {said}", "Save it as UTF-8 text.")
        raise BadRunFile([problem]) from fault
    if root is None:
        return Node({}, Place(origin, 1, 1))
    reader = _Reader(origin)
    tree = reader.tree(root, "", 0)
    if reader.problems:
        raise BadRunFile(reader.problems)
    return tree


def parse_scalar(text: str) -> Any:
    """Return the value that YAML 1.2 reads in `text`, a list or mapping among them."""
    return parse(text, str(COMMAND_LINE)).plain() if text.strip() else ""


def _syntax_remedy(said: str) -> str:
    if "\\t" in said or "tab" in said:
        return "Indent with spaces; YAML allows no tabs there."
    if "mapping values" in said:
        return "A text that holds ': ' wants quotes, and a nested key wants a line of its own."
    return "Check the indentation, quotes and brackets around that line."


class _Reader:
    """Turns the nodes of the YAML library into ours, and collects what is wrong on the way."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.problems: list[Problem] = []
        self.size = 0

    def tree(self, node: YamlNode, key: str, depth: int) -> Node:
        place = Place(self.origin, node.start_mark.line + 1, node.start_mark.column + 1)
        self.size += 1
        if self.size > MOST_NODES or depth > MOST_LEVELS:
            # an alias may stand for a list of aliases, or for a list that holds itself
            remedy = "Write the values out; a run file needs no aliases of aliases."
            raise BadRunFile([Problem(place, key, "the aliases of this file have no end", remedy)])
        expected = {"sequence": {"seq"}, "mapping": {"map"}}.get(node.id, _SCALARS)
        if node.tag.removeprefix(_CORE) not in expected:
            # other loaders build any object that a tag names; here it is refused
            tag = node.tag.replace(_CORE, "!!")
            remedy = "Remove it: a run file holds text, numbers, true, false, lists and mappings."
            self.problems.append(Problem(place, key, f"the tag {tag} is not allowed", remedy))
        if node.id == "sequence":
            items = [
                self.tree(n, f"{key}.{i}".lstrip("."), depth + 1) for i, n in enumerate(node.value)
            ]
            return Node(cast("list[Node]", items), place)
        if node.id == "mapping":
            return self.mapping(node, place, key, depth)
        return Node(_scalar(node), place)

    def mapping(self, node: YamlNode, place: Place, key: str, depth: int) -> Node:
        found: dict[str, Node] = {}
        for name_node, value_node in node.value:
            name = str(name_node.value)
            mark = name_node.start_mark
            at = Place(self.origin, mark.line + 1, mark.column + 1)
            inner = f"{key}.{name}".lstrip(".")
            if name in found:
                said = f"this key stands twice (first at line {found[name].key_place.line})"
                self.problems.append(Problem(at, inner, said, "Keep one of the two."))
            found[name] = self.tree(value_node, inner, depth + 1)
            found[name].key_place = at
        return Node(found, place)


def _scalar(node: YamlNode) -> Scalar:
    text: str = node.value
    if node.tag == f"{_CORE}str":
        return text
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text.lower() == "true"
    if _INT.match(text):
        return int(text)
    if _BASED_INT.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return float(text)
    if _INF.match(text):
        return float(text.lower().replace(".", ""))
    return text
