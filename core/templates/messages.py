"""Messages as chat templates read them, from whatever form of OpenAI's they are given in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from luthier.core.errors import TemplateError

Message = Mapping[str, Any]

_PLAIN = {"role", "content"}
_REASONING = ("reasoning_content", "reasoning", "thinking")
_OPTIONAL = (*_REASONING, "tool_calls", "name", "tool_call_id")
"""What a row has a place for and a message may be without: there it is None."""


def plain_all(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the messages of a conversation as templates read them.

    Raises:
        TemplateError: one is no message; it is named by its number, which counts from 1.
    """
    if not isinstance(messages, (list, tuple)):
        raise TemplateError(
            f"the conversation is {messages!r}, no list of messages. "
            'Write [{"role": "user", "content": "..."}, ...].'
        )
    told = []
    for number, message in enumerate(messages, 1):
        try:
            told.append(message if _is_plain(message) else plain(message))
        except TemplateError as fault:
            raise TemplateError(f"message {number}: {fault}") from None
    return told


def plain(message: Message) -> dict[str, Any]:
    """Return a message as templates read it: text contents, calls as a list, arguments as objects.

    Raises:
        TemplateError: it is no message of OpenAI's form.
    """
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise TemplateError(
            f"{message!r} is no message with a role. "
            'Write {"role": "user", "content": "..."}; the role is a text.'
        )
    told = {k: v for k, v in message.items() if v is not None or k not in _OPTIONAL}
    content = told.get("content")
    if isinstance(content, (list, tuple)):
        told["content"] = "".join(_text_of(part) for part in content)
    told.setdefault("content", None)
    if thoughts := next(filter(None, map(told.get, _REASONING)), None):
        if not isinstance(thoughts, str):
            raise TemplateError(f"its thoughts are {thoughts!r}; write them as a text")
        told["reasoning_content"] = thoughts
    if isinstance(told.get("tool_calls"), str):
        told["tool_calls"] = _read(told["tool_calls"], "tool_calls")
        if not told["tool_calls"]:
            del told["tool_calls"]
    if told.get("tool_calls"):
        told["tool_calls"] = _calls(told["tool_calls"])
    return told


def tools_of(tools: Sequence[Mapping[str, Any]] | str | None) -> list[dict[str, Any]] | None:
    """Return function tools as templates read them, from a list or its JSON text; None for none.

    Raises:
        TemplateError: they are no list of function tools.
    """
    found = _read(tools, "tools") if isinstance(tools, str) else tools
    if not found:
        return None
    if not isinstance(found, (list, tuple)) or not all(isinstance(t, Mapping) for t in found):
        raise TemplateError(
            f"the tools are {found!r}, no list of objects. "
            'Write [{"type": "function", "function": {"name": "...", ...}}, ...].'
        )
    return [dict(tool) for tool in found]


def _read(text: str, key: str) -> Any:
    """Return what a JSON text of a row holds; nothing where it is empty."""
    try:
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        raise TemplateError(
            f"`{key}` is {text!r}, no JSON. Write a list in OpenAI's form, or its JSON text."
        ) from None


def _is_plain(message: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a message is as templates read it already, which most are."""
    return (
        type(message) is dict
        and message.keys() == _PLAIN
        and type(message["role"]) is str
        and type(message["content"]) is str
    )


def _text_of(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return str(part["text"])
    raise TemplateError("a message holds a part that is not text; chat templates here hold text")


def _calls(calls: Any) -> list[dict[str, Any]]:
    if isinstance(calls, (list, tuple)):
        return [_call(call) for call in calls]
    raise TemplateError(f"`tool_calls` is {calls!r}, no list of calls. {_WRITTEN}")


_WRITTEN = 'Write [{"type": "function", "function": {"name": "...", "arguments": {...}}}, ...].'


def _call(call: Any) -> dict[str, Any]:
    """Return a tool call in OpenAI's form, with its arguments as an object."""
    told = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(told, Mapping) or not isinstance(told.get("name"), str):
        raise TemplateError(f"{call!r} is no call of a function with a name. {_WRITTEN}")
    function = dict(told)
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            function["arguments"] = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            raise TemplateError(
                f"the arguments of the call of {function['name']!r} are no JSON. "
                "Write an object, or its JSON text."
            ) from None
    whole = call if "function" in call else {}
    return {**whole, "type": "function", "function": function}


def folded(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return plain messages, the system message at the head of the first question.

    Raises:
        TemplateError: no question follows it.
    """
    if not messages or messages[0]["role"] != "system":
        return messages
    system, rest = messages[0]["content"], messages[1:]
    if not rest or rest[0]["role"] != "user":
        raise TemplateError("there is no question after the system message to fold it into")
    if system:
        rest[0] = {**rest[0], "content": f"{system}\n\n{rest[0]['content']}"}
    return rest
