"""A resolved run as text: each value with where it comes from, and still a run file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from luthier.core.runfile.nodes import DEFAULT, Node

COMMENT_COLUMN = 44

# what JSON lets stand in a text and YAML 1.2 does not, or takes for the end of a line
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")


def annotated(tree: Node) -> str:
    """Return a tree as YAML, each value's origin in a comment behind it."""
    lines = []
    for text, origin in _lines(tree, 0):
        comment = f"  # {origin}" if origin else ""
        lines.append(f"{text:<{COMMENT_COLUMN}}{comment}".rstrip())
    return "\n".join(lines) + "\n"


def _lines(node: Node, depth: int) -> Iterator[tuple[str, str]]:
    indent = "  " * depth
    for key, inner in node.mapping.items():
        if inner.mapping or inner.items:
            yield f"{indent}{_key(key)}:", ""
            yield from _lines(inner, depth + 1)
        else:
            yield f"{indent}{_key(key)}: {_flow(inner.plain())}", _origin(inner)
    for inner in node.items:
        if not inner.mapping:
            yield f"{indent}- {_flow(inner.plain())}", _origin(inner)
            continue
        for number, (text, origin) in enumerate(_lines(inner, depth + 1)):
            lead = f"{indent}- " if number == 0 else f"{indent}  "
            yield lead + text[len(lead) :], origin


def _flow(value: Any) -> str:
    """Return a value as YAML 1.2 in one line; texts in quotes, as JSON has them."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": ".inf", "-inf": "-.inf"}.get(str(value), ".nan")
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    return _quoted(value)


def _quoted(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _key(name: str) -> str:
    return name if _PLAIN_KEY.match(name) else _quoted(name)


def _origin(node: Node) -> str:
    if node.place == DEFAULT:
        return "default"
    where = " ".join(str(node.place.origin).split())
    return f"{where}:{node.place.line}" if node.place.line is not None else where
