"""The conversations that chat templates are held against each other on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

_USER = {"role": "user", "content": "What is a luthier?"}
_ANSWER = {"role": "assistant", "content": "One who makes string instruments."}
_CALLS: dict[str, Any] = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "a1b2c3d4e",
            "type": "function",
            "function": {"name": "find_shop", "arguments": {"town": "Köln", "open": True, "n": 2}},
        }
    ],
}
_RESULT = {
    "role": "tool", "tool_call_id": "a1b2c3d4e", "name": "find_shop", "content": '{"shops": []}',
}  # fmt: skip
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find_shop",
            "description": 'Finds the shops of a town, "the nearest" first.',
            "parameters": {
                "type": "object",
                "properties": {
                    "town": {"type": "string", "description": "The town, such as Mittenwald"},
                    "open": {"type": "boolean", "description": "Only those open now"},
                    "n": {"type": "integer", "description": "How many"},
                },
                "required": ["town"],
            },
        },
    }
]


class Conversation(NamedTuple):
    """A conversation of the corpus."""

    name: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    asks: str = ""
    """A word that a Jinja chat template holds which has a place for this; empty for any."""
    options: dict[str, Any] = {}  # noqa: RUF012 - a default, which nobody changes
    """Options of the template."""


CORPUS = (
    Conversation("a question", [_USER]),
    Conversation("an answer", [_USER, _ANSWER]),
    Conversation("a system message", [{"role": "system", "content": "Be brief."}, _USER]),
    Conversation("an empty system message", [{"role": "system", "content": ""}, _USER, _ANSWER]),
    Conversation(
        "two turns and white space",
        [
            {"role": "system", "content": " Answer in one line.\n"},
            {"role": "user", "content": "  Hello \n"},
            {"role": "assistant", "content": "\nHow do you do? "},
            {"role": "user", "content": "Quelle heure est-il ? 几点了\n\n\n?"},
            {"role": "assistant", "content": "Noon.\n\n- twelve"},
        ],
    ),
    Conversation(
        "thoughts",
        [
            _USER,
            {**_ANSWER, "reasoning_content": "A craft."},
            {"role": "user", "content": "And a bowyer?"},
            {**_ANSWER, "content": "One who makes bows.", "reasoning_content": "The bow's maker."},
        ],
        asks="reasoning_content",
    ),
    Conversation(
        "no thinking", [_USER], asks="enable_thinking", options={"enable_thinking": False}
    ),
    Conversation("thinking", [_USER], asks="enable_thinking", options={"enable_thinking": True}),
    Conversation("tools", [_USER, _ANSWER], _TOOLS, asks="tools"),
    Conversation("a call", [_USER, _CALLS], _TOOLS, asks="tool_calls"),
    Conversation(
        "two calls beside text",
        [_USER, {**_CALLS, "content": "Let me look.", "tool_calls": _CALLS["tool_calls"] * 2}],
        _TOOLS,
        asks="tool_calls",
    ),
    Conversation("a result", [_USER, _CALLS, _RESULT, _ANSWER], _TOOLS, asks="tool_calls"),
)


def corpus_for(source: str, *, tools: bool) -> Iterator[Conversation]:
    """Yield the conversations that a Jinja chat template has a place for.

    Args:
        source: its text.
        tools: whether it has a place for tools.
    """
    return (one for one in CORPUS if one.asks in source and (tools or one.tools is None))
