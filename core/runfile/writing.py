"""A resolved run as text: each value with where it comes from, and still a run file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from luthier.core.runfile.nodes import DEFAULT, Node

COMMENT_COLUMN = 44


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
            yield f"{indent}{key}:", ""
            yield from _lines(inner, depth + 1)
        else:
            yield f"{indent}{key}: {_scalar(inner)}", _origin(inner)
    for inner in node.items:
        if not inner.mapping:
            yield f"{indent}- {_scalar(inner)}", _origin(inner)
            continue
        for number, (text, origin) in enumerate(_lines(inner, depth + 1)):
            lead = f"{indent}- " if number == 0 else f"{indent}  "
            yield lead + text[len(lead) :], origin


def _scalar(node: Node) -> str:
    """Return a value as YAML 1.2; texts in quotes, as JSON has them."""
    if isinstance(node.value, float) and not math.isfinite(node.value):
        return {"inf": ".inf", "-inf": "-.inf"}.get(str(node.value), ".nan")
    return json.dumps(node.plain(), ensure_ascii=False)


def _origin(node: Node) -> str:
    if node.place == DEFAULT:
        return "default"
    where = str(node.place.origin)
    return f"{where}:{node.place.line}" if node.place.line is not None else where
