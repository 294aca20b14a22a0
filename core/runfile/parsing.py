"""From YAML or JSON text to a tree of nodes.

YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema): `1e-4` is a number, `no` is text, and a
key that stands twice is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.nodes import Node as YamlNode
from ruamel.yaml.reader import ReaderError

from luthier.core.problems import BadRunFile, Place, Problem
from luthier.core.runfile.nodes import COMMAND_LINE, Node, Scalar
from luthier.core.runfile.syntax import syntax_problem

MOST_NODES = 100_000
MOST_LEVELS = 50
MOST_DIGITS = 300
"""A float has no more digits before its point (sys.float_info.max_10_exp is 308)."""

_CORE = "tag:yaml.org,2002:"
_ALLOWED = {"null", "bool", "int", "float", "str", "seq", "map"}
_IMPLIED = {*_ALLOWED, "timestamp", "value", "merge"}
"""What the library takes plain values for; it is not asked, since its table is not the core's."""

_FORMS: tuple[tuple[re.Pattern[str], Callable[[str], Scalar]], ...] = (
    (re.compile(r"(~|null|Null|NULL|)\Z"), lambda _: None),
    (re.compile(r"(true|True|TRUE|false|False|FALSE)\Z"), lambda text: text.lower() == "true"),
    (re.compile(r"[-+]?[0-9]+\Z"), int),
    (re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z"), lambda text: int(text, 0)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z"), float),
    (
        re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z"),
        lambda text: float(text.lower().replace(".", "")),
    ),
)
"""The core schema: which plain values are no texts, and what they are."""


def parse(text: str, origin: str) -> Node:
    """Return YAML or JSON text as a tree; an empty text is an empty mapping.

    Args:
        text: the whole file.
        origin: what to call it in messages.

    Raises:
        BadRunFile: the text is no YAML, a key stands twice, or it holds what no run file may.
    """
    reader = _Reader(origin)
    try:
        root = _composed(text)
        tree = Node({}, Place(origin, 1, 1)) if root is None else reader.tree(root, (), 0)
    except (MarkedYAMLError, ReaderError) as fault:
        raise BadRunFile([syntax_problem(fault, text, origin)]) from fault
    except YAMLError as fault:
        said = " ".join(str(fault).split())
        problem = Problem(Place(origin), "", f"this is no YAML: {said}", "Write it as YAML 1.2.")
        raise BadRunFile([problem]) from fault
    except RecursionError:
        remedy = "Take levels out; a run file has no need of more than five."
        problem = Problem(Place(origin, 1, 1), "", "values are nested far too deep here", remedy)
        raise BadRunFile([problem]) from None
    if reader.problems:
        raise BadRunFile(reader.problems)
    return tree


def parse_scalar(text: str) -> Any:
    """Return the value that YAML 1.2 reads in `text`, a list or mapping among them."""
    return parse(text, str(COMMAND_LINE)).plain() if text.strip() else ""


def _composed(text: str) -> YamlNode | None:
    yaml = YAML(typ="safe", pure=True)
    # YAML allows that an anchor's name is taken again; the library would print a warning
    yaml.composer.warn_double_anchors = False
    root: YamlNode | None = yaml.compose(text)
    return root


class _Reader:
    """Turns the nodes of the YAML library into ours, and collects what is wrong on the way."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.problems: list[Problem] = []
        self.size = 0
        self.section: tuple[Place, str] = (Place(origin, 1, 1), "")
        """The key at the top of the file that is being read, and its place."""

    def tree(self, node: YamlNode, path: tuple[str | int, ...], depth: int) -> Node:
        place = self._place(node)
        self._require_room(depth)
        self._refuse_tag(node, place, path)
        if isinstance(node, MappingNode):
            return Node(self._mapping(node, path, depth), place)
        if isinstance(node, SequenceNode):
            items = [self.tree(n, (*path, i), depth + 1) for i, n in enumerate(node.value)]
            return Node(items, place)
        assert isinstance(node, ScalarNode)  # noqa: S101 - YAML has no fourth kind of node
        return Node(self._scalar(node, place, path), place)

    def _place(self, node: YamlNode) -> Place:
        return Place(self.origin, node.start_mark.line + 1, node.start_mark.column + 1)

    def _tell(self, place: Place, path: tuple[str | int, ...], problem: str, remedy: str) -> None:
        self.problems.append(Problem(place, ".".join(map(str, path)), problem, remedy))

    def _require_room(self, depth: int) -> None:
        """Refuse what has no end: an alias may stand for a list of aliases, or for itself."""
        self.size += 1
        said = f"more than {MOST_NODES:,} values stand here" if self.size > MOST_NODES else ""
        if depth > MOST_LEVELS:
            said = f"values are nested more than {MOST_LEVELS} deep here"
        if said:
            remedy = "Write the few values out that are meant; a run file needs no such aliases."
            raise BadRunFile(
                [Problem(*self.section, f"{said}, each alias (`*name`) written out", remedy)]
            )

    def _refuse_tag(self, node: YamlNode, place: Place, path: tuple[str | int, ...]) -> None:
        """Refuse a tag such as `!!python/object`: other loaders build whatever it names."""
        name = str(node.tag).removeprefix(_CORE)
        if name not in (_ALLOWED if _is_explicit(node) else _IMPLIED):
            shown = str(node.tag).replace(_CORE, "!!")
            remedy = "Remove it: a run file holds text, numbers, true, false, lists and mappings."
            self._tell(place, path, f"the tag {shown} is not allowed", remedy)

    def _mapping(
        self, node: MappingNode, path: tuple[str | int, ...], depth: int
    ) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for name_node, value_node in node.value:
            at = self._place(name_node)
            if not isinstance(name_node, ScalarNode):
                self._tell(at, path, "a key has to be a text", "Write `key: value`.")
                continue
            if name_node.value == "<<" and not name_node.style:
                said = "the merge key `<<` is no part of YAML 1.2"
                self._tell(at, path, said, "Write the values out, or put them into `extends`.")
                continue
            name = self._text(name_node.value, at, path)
            if name in found:
                said = f"this key stands twice (first at line {found[name].key_place.line})"
                self._tell(at, (*path, name), said, "Keep one of the two.")
            if depth == 0:
                self.section = (at, name)
            value = found[name] = self.tree(value_node, (*path, name), depth + 1)
            value.key_place = at
            if value_node.start_mark.index == value_node.end_mark.index:
                value.place = (
                    at  # nothing is written; the library has it where the next line begins
                )
        return found

    def _scalar(self, node: ScalarNode, place: Place, path: tuple[str | int, ...]) -> Scalar:
        text: str = node.value
        if node.tag == f"{_CORE}str" if _is_explicit(node) else node.style:
            return self._text(text, place, path)
        for pattern, value_of in _FORMS:
            if pattern.match(text):
                value = value_of(text) if len(text) <= MOST_DIGITS else math.inf
                if isinstance(value, float) and math.isinf(value) and "inf" not in text.lower():
                    said = f"this number is too large, or has more than {MOST_DIGITS} digits"
                    self._tell(place, path, said, "Write a smaller one, or put it in quotes.")
                return value
        return text

    def _text(self, text: str, place: Place, path: tuple[str | int, ...]) -> str:
        """Return a text with its surrogate pairs joined: JSON has an emoji as two escapes."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            said = "this text has half of a surrogate pair (an escape \\ud800 to \\udfff)"
            self._tell(place, path, said, "Write the character itself.")
            return ""


def _is_explicit(node: YamlNode) -> bool:
    """Return whether a tag is written, rather than supposed by the library."""
    return node.ctag.handle is not None
