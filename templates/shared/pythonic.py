"""Calls that are written as Python writes them: `find_train(to="Bonn", n=2)`.

Source: the chat templates of allenai/Olmo-3-7B-Instruct
(https://huggingface.co/allenai/Olmo-3-7B-Instruct) and LiquidAI/LFM2-1.2B
(https://huggingface.co/LiquidAI/LFM2-1.2B).
"""

import ast
import json
import re
import warnings
from typing import Any

from luthier.core.templates import ToolCall, ToolStyle
from luthier.core.templates.tools import loosely, mendable

_JSON_NAMES = {"true": True, "false": False, "null": None}


def written(value: str) -> str:
    """Return the Jinja of the call `call`, each of its values written by an expression."""
    return (
        "{{ call.function.name }}({% for name, value in call.function.arguments.items() %}"
        "{% if not loop.first %}, {% endif %}{{ name }}={{ " + value + " }}{% endfor %})"
    )


class Pythonic(ToolStyle):
    """Calls in Python, in a list or a line each; names of values may be JSON's."""

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the calls that a text of Python makes, mended where it is none."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a backslash that escapes nothing
                lines = ast.parse(body.strip()).body
            calls = [_call(node) for line in lines for node in _nodes(line)]
            json.dumps(calls)  # a set, say, has no form in JSON
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            if not mendable(body):
                return None
            parts = re.split(r"\)(?=[ \t]*+[,\n])[\s,]*+(?=[\w.-]++\()", body)
            found = [_mended(one) for one in parts]
            return [call for call in found if call] if all(found) else None
        return calls or None


def _nodes(line: ast.stmt) -> list[ast.expr]:
    if not isinstance(line, ast.Expr):
        raise ValueError("no call")
    return line.value.elts if isinstance(line.value, ast.List) else [line.value]


def _call(node: ast.expr) -> ToolCall:
    if not isinstance(node, ast.Call) or node.args or not all(k.arg for k in node.keywords):
        raise ValueError("no call by names")
    arguments = {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    return ToolCall(ast.unparse(node.func), arguments)


def _value(node: ast.expr) -> Any:
    """Return the value of a literal, of Python or of JSON."""
    if isinstance(node, ast.Name) and node.id in _JSON_NAMES:
        return _JSON_NAMES[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(one) for one in node.elts]
    if isinstance(node, ast.Dict):
        keys = [ast.literal_eval(key) if key else None for key in node.keys]
        return dict(zip(keys, map(_value, node.values), strict=True))
    return ast.literal_eval(node)


def _mended(text: str) -> ToolCall | None:
    """Return the call that a text with a fault in it seems to be."""
    found = re.match(r"\W*(?P<name>[\w.-]++)[\s(]*(?P<arguments>.*)", text, re.DOTALL)
    if found is None or not re.search(r"[(=]", text):
        return None
    pairs = re.sub(r"(?:^|(?<=,))\s*(\w+)\s*=", r'"\1": ', found["arguments"])
    pairs = pairs.rstrip().removesuffix("]").rstrip().removesuffix(")").rstrip()
    arguments = loosely("{" + pairs + "}")
    return ToolCall(found["name"], arguments) if isinstance(arguments, dict) else None
