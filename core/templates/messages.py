"""Messages as chat templates read them, from whatever form of OpenAI's they are given in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from luthier.core.errors import TemplateError

Message = Mapping[str, Any]

_REASONING = ("reasoning_content", "reasoning", "thinking")


def plain(message: Message) -> dict[str, Any]:
    """Return a message as templates read it: text contents, arguments as objects."""
    told = dict(message)
    content = told.get("content")
    if isinstance(content, (list, tuple)):
        told["content"] = "".join(_text_of(part) for part in content)
    told.setdefault("content", None)
    if thoughts := next(filter(None, map(told.get, _REASONING)), None):
        told["reasoning_content"] = thoughts
    if told.get("tool_calls"):
        told["tool_calls"] = [_call(call) for call in told["tool_calls"]]
    return told


def _text_of(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return str(part["text"])
    raise TemplateError("a message holds a part that is not text; chat templates here hold text")


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool call in OpenAI's form, with its arguments as an object."""
    function = dict(call.get("function", call))
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            function["arguments"] = json.loads(arguments or "{}")
        except ValueError:
            raise TemplateError(
                f"the arguments of the call of {function.get('name')!r} are no JSON"
            ) from None
    whole = call if "function" in call else {}
    return {**whole, "type": "function", "function": function}


def folded(messages: Sequence[Message]) -> Sequence[Message]:
    """Return the messages, the system message at the head of the first question.

    Raises:
        TemplateError: no question follows it.
    """
    if not messages or messages[0]["role"] != "system":
        return messages
    system, rest = messages[0]["content"], list(messages[1:])
    if not rest or rest[0]["role"] != "user":
        raise TemplateError("there is no question after the system message to fold it into")
    if system:
        rest[0] = {**rest[0], "content": f"{system}\n\n{rest[0]['content']}"}
    return rest
