"""Tool styles: how tools, calls and results are written for a model, and read from its answer."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

MENDED = 10_000
"""How many characters a text may have that is mended: mending is slow, and the slower the longer"""
BRACKETS = 500
"""How many opening brackets it may have."""


class ToolCall(NamedTuple):
    """A call that a model makes."""

    name: str
    arguments: dict[str, Any]
    id: str | None = None
    """The call's id, where the format writes one."""

    def openai(self, index: int = 0) -> dict[str, Any]:
        """Return the call as OpenAI writes it, its arguments as an object.

        An id that the format did not write is made of nine characters, as Mistral's have to be.
        """
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id or f"call{index:05d}", "type": "function", "function": function}


class ToolStyle(BaseModel):
    """How a model is told of tools, calls them and is given the results.

    The Jinja texts serve templates that are made of slots; a template with a Jinja source of its
    own writes tools there, and its style only reads. A style whose calls are not JSON overrides
    `read`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    definitions: str = ""
    """The system prompt with the tools in it: Jinja, with `content` (the system prompt or an
    empty text) and `tools`."""
    calls: str = ""
    """The calls of an answer: Jinja, with `calls` in OpenAI's form and `content`, the answer's."""
    result: str = ""
    """A result: Jinja, with `content`, `message`, and `first` and `last` of several in a row.
    Empty for a user's message."""
    open: str
    """What a call begins with."""
    close: str = ""
    """What a call ends with; empty where it ends with the answer."""
    section: tuple[str, str] = ("", "")
    """What encloses all calls of an answer; left out where one is read."""
    stop: str = ""
    """The special token that ends an answer with calls, where it is not the one of others."""
    at_start: bool = False
    """Whether a call is only one where the answer begins with it."""
    pattern: str = ""
    """What stands between `open` and `close`: a regular expression with the groups `name`,
    `arguments` (JSON) and, where there is one, `id`. Empty for a JSON object, or a list of them."""
    name_key: str = "name"
    """The key of the name in a JSON object."""
    arguments_key: str = "arguments"
    """The key of the arguments in a JSON object."""

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the calls in what stands between `open` and `close`; None if there are none."""
        if self.pattern:
            found = re.fullmatch(self.pattern, body, re.DOTALL)
            if found is None:
                return None
            groups = found.groupdict()
            arguments = loosely(groups["arguments"].strip() or "{}")
            if not isinstance(arguments, dict) or not groups["name"]:
                return None
            return [ToolCall(groups["name"], arguments, groups.get("id"))]
        calls = [self.of_object(one) for one in _objects(loosely(body))]
        if calls and all(calls):
            return [call for call in calls if call]
        # a brace or a quote is gone: a key, a name, a key and an object are a call all the same;
        # nothing is matched twice, for that may take a time beyond all bounds
        found = re.match(
            r"\W*+\w++\W++(?P<name>[\w.-]++)\W++\w++\W*?(?P<arguments>\{.*)", body, re.DOTALL
        )
        arguments = loosely(found["arguments"]) if found else None
        return (
            [ToolCall(found["name"], arguments)] if found and isinstance(arguments, dict) else None
        )

    def of_object(self, value: Any) -> ToolCall | None:
        """Return the call that a JSON object tells of, or None."""
        if not isinstance(value, Mapping):
            return None
        name, arguments = _near(value, self.name_key), _near(value, self.arguments_key, {})
        if isinstance(arguments, str):
            arguments = loosely(arguments)
        if not isinstance(name, str) or not name or not isinstance(arguments, dict):
            return None
        call_id = value.get("id")
        return ToolCall(name, arguments, call_id if isinstance(call_id, str) else None)


def _objects(value: Any) -> list[Any]:
    """Return what a JSON value holds beside lists within lists."""
    found, left = [], [value]
    while left:  # no recursion: lists may lie deeper in each other than that goes
        one = left.pop()
        if isinstance(one, list):
            left += reversed(one)
        else:
            found.append(one)
    return found


def _near(value: Mapping[str, Any], key: str, absent: Any = None) -> Any:
    """Return a value by its key, or by one that differs from it in a character or two."""
    if key in value:
        return value[key]
    near = difflib.get_close_matches(key, [str(k) for k in value], n=1, cutoff=0.7)
    return value.get(near[0], absent) if near else absent


def loosely(text: str) -> Any:
    """Return the JSON value of a text, mended where a character is wrong; None if there is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if not mendable(text):
        return None
    import json_repair

    try:
        value = json_repair.loads(text, skip_json_loads=True)
    except (ValueError, RecursionError, IndexError):
        return None
    return value if value != "" else None


def mendable(text: str) -> bool:
    """Say whether a text is so short and so plain that it can be mended in no time."""
    return len(text) <= MENDED and text.count("{") + text.count("[") <= BRACKETS


class TableSeven(ToolStyle):
    """The prompt of the paper's Table 7, for models that have no style of their own."""

    definitions: str = (
        "{{ content }}{% if content %}\n\n{% endif %}"
        "You have access to the following tools:\n"
        "{% for tool in tools %}{% set tool = tool.function or tool %}"
        "> Tool Name: {{ tool.name }}\nTool Description: {{ tool.description or '' }}\nTool Args:\n"
        "{% for name, arg in (tool.parameters.properties or {}).items() %}"
        "  - {{ name }} ({{ arg.type or 'any' }}"
        "{% if name in (tool.parameters.required or []) %}, required{% endif %}):"
        " {{ arg.description or '' }}"
        "{% if arg.enum %}, should be one of {{ arg.enum | tojson }}{% endif %}\n"
        "{% endfor %}\n{% endfor %}"
        "Use the following format if using a tool:\n```\n"
        "Action: tool name (one of [{% for tool in tools %}{% if not loop.first %}, {% endif %}"
        "{{ (tool.function or tool).name }}{% endfor %}])\n"
        "Action Input: the input to the tool, in a JSON format representing the kwargs "
        '(e.g. ```{"input": "hello world", "num_beams": 5}```)\n```\n'
    )
    calls: str = (
        "{% for call in calls %}{% if content or not loop.first %}\n{% endif %}"
        "Action: {{ call.function.name }}\nAction Input: {{ call.function.arguments | tojson }}"
        "{% endfor %}"
    )
    open: str = "Action: "
    # the name is one word, and what stands between it and the arguments may be misspelt
    pattern: str = r"\s*(?P<name>[^\s{]++)[^{]*+(?P<arguments>\{.*)"

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the calls of the rest of an answer: each begins on a line of its own."""
        found = [super(TableSeven, self).read(one) for one in body.split("\nAction: ")]
        return [call for calls in found if calls for call in calls] if all(found) else None
