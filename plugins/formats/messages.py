"""What formats share: messages in OpenAI's form, read one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from luthier.core.data import BadValue
from luthier.core.problems import shown
from luthier.plugins.formats.columns import Read, RowFormat
from luthier.plugins.formats.thoughts import answer

Fault = Callable[[str, str], BadValue]
"""Makes the fault of one message, of a problem and a remedy."""

ROLES = {
    "user": "user", "assistant": "assistant", "tool": "tool", "function": "tool",
    "system": "system", "developer": "system",
}  # fmt: skip
REASONING = ("reasoning_content", "reasoning", "thinking")
CALL = '{"name": "...", "arguments": {...}}'


class Exchange(NamedTuple):
    """The messages of a row, its system prompt apart."""

    system: str
    messages: list[Read]
    first: int = 1
    """The number that the first of them has in the row."""


class MessageFormat(RowFormat):
    """Base of a format whose rows hold messages in OpenAI's form."""

    def example(self) -> str:
        """Return a message as this format has it, for what is said of bad ones."""
        return '{"role": "user", "content": "..."}'

    def exchange(self, row: Read, option: str) -> Exchange:
        """Return the messages of a column, a list of them or its JSON text."""
        if getattr(self, option) not in row:
            raise self.absent(row, option)
        return self.exchange_of(self.parsed(row, option), option)

    def exchange_of(self, value: Any, option: str) -> Exchange:
        """Return the messages of a list; a first system message is the system prompt."""
        if not isinstance(value, list) or not value:
            said = f"the field {getattr(self, option)!r} is {shown(value)}, no list of messages"
            raise self.bad(option, said, f"Write [{self.example()}, ...]")
        messages = [
            self.message_of(one, self.fault_of(option, number))
            for number, one in enumerate(value, 1)
        ]
        if messages[0]["role"] == "system":
            return Exchange(messages[0]["content"], messages[1:], 2)
        return Exchange("", messages)

    def fault_of(self, option: str, number: int) -> Fault:
        """Return what makes the fault of the message of that number, from 1, in a column."""
        place = f"message {number} of {getattr(self, option)!r}"
        return lambda problem, remedy: self.bad(option, f"{place} {problem}", remedy)

    def message_of(self, value: Any, bad: Fault) -> Read:
        """Return one message in OpenAI's form, with what templates read of it and no nulls."""
        if not isinstance(value, Mapping) or value.get("role") is None:
            raise bad(f"is {shown(value)}, and expected was {self.example()}", "Write it so")
        return openai_message(value, bad)

    def said(self, row: Read, option: str, role: str) -> Exchange:
        """Return what a column holds: messages, or one of a role of a text."""
        value = self.parsed(row, option) if self.holds_messages(row, option) else None
        if value is not None:
            return self.exchange_of(value, option)
        text = self.filled(row, option, "there is nothing to learn")
        plain = {"role": role, "content": text}
        return Exchange("", [answer(text) if role == "assistant" else plain])

    def completion_of(self, row: Read, option: str) -> Exchange:
        """Return what completes a prompt: an answer as a text, or messages of no system prompt."""
        found = self.said(row, option, "assistant")
        if found.first > 1:
            said = "is of the system; expected was an answer"
            raise self.fault_of(option, 1)(said, "Put it at the start of the prompt")
        return found

    def holds_messages(self, row: Read, option: str) -> bool:
        """Return whether a column holds a list of messages, or its JSON text."""
        value = row.get(getattr(self, option))
        return isinstance(value, list) or (isinstance(value, str) and _is_written_list(value))

    def answered(self, found: Exchange, option: str) -> tuple[list[Read], Read]:
        """Return the messages of a column before its last one, and that, which is an answer."""
        bad = self.fault_of(option, found.first + len(found.messages) - 1)
        if not found.messages:
            raise bad("is the last and of the system; expected was an answer", "Add the answer")
        *prompt, answer = found.messages
        if answer["role"] != "assistant":
            said = f"is the last and of the {answer['role']}; expected was an answer"
            raise bad(said, "Add the answer, leave that message out")
        if not prompt:
            raise bad("is an answer, and nothing is before it that it answers", "Add the question")
        return prompt, answer


def _is_written_list(text: str) -> bool:
    """Whether a text is the JSON of a list of messages, as a table of texts holds it.

    An answer may itself be the JSON of a list: it is one of messages only by their keys.
    """
    if not text.lstrip().startswith("["):
        return False
    found = _read(text)
    return bool(found) and isinstance(found, list) and all(map(_is_message, found))


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and (
        {"role", "content"} <= value.keys() or {"from", "value"} <= value.keys()
    )


def openai_message(value: Mapping[str, Any], bad: Fault) -> Read:
    """Return a message of OpenAI's form with what templates read of it, and no nulls."""
    role = ROLES.get(value["role"]) if isinstance(value["role"], str) else None
    if role is None:
        said = f"has the role {shown(value['role'])}; expected one of {', '.join(ROLES)}"
        raise bad(said, "Write one of these")
    message: Read = {"role": role, "content": _content(value.get("content"), bad)}
    if role == "tool":
        kept = ("name", "tool_call_id")
        message |= {key: value[key] for key in kept if value.get(key) is not None}
    if role == "assistant":
        message |= _thoughts(value, bad) or answer(message["content"])
        old = value.get("function_call")
        if calls := value.get("tool_calls") or (old and [old]):
            message["tool_calls"] = calls_of(calls, bad)
    return sound(counted(message, value, bad), bad)


def sound(message: Read, bad: Fault) -> Read:
    """Return a message that says something; a tool's result and a system prompt may be empty."""
    says = message["content"].strip() or len(message.keys() - {"role", "content", "train"})
    if not says and message["role"] in {"user", "assistant"}:
        raise bad(f"is of the {message['role']} and empty", "Fill it in, leave the row out")
    return message


def _content(value: Any, bad: Fault) -> str:
    parts = value if isinstance(value, list) else [value or ""]
    texts = []
    for part in parts:
        text = part.get("text") if isinstance(part, Mapping) else part
        if not isinstance(text, str):
            said = f"has the content {shown(part)}, no text and no part of text"
            raise bad(said, 'Write a text, or [{"type": "text", "text": "..."}]')
        texts.append(text)
    return "".join(texts)


def _thoughts(value: Mapping[str, Any], bad: Fault) -> Read:
    thoughts = next(filter(None, map(value.get, REASONING)), None)
    if thoughts is not None and not isinstance(thoughts, str):
        raise bad(f"has the thoughts {shown(thoughts)}, no text", "Write them in quotes")
    return {"reasoning_content": thoughts} if thoughts else {}


def counted(message: Read, value: Mapping[str, Any], bad: Fault) -> Read:
    """Return a message that says if the loss is not to count it, as `train` or `weight` told."""
    is_answer = message["role"] == "assistant"
    for key, written in (("train", "true or false"), ("weight", "0 or 1")):
        told = value.get(key)
        if told is None:
            continue
        if told not in (0, 1) or (key == "train" and not isinstance(told, bool)):
            raise bad(f"has {shown(told)} as its {key!r}", f"Write {written}")
        if told and not is_answer:
            said = f"has {key!r}: {shown(told)}, but is no answer, and the loss counts answers only"
            raise bad(said, f"Leave {key!r} out there")
        if is_answer and not told:
            return {**message, "train": False}
        break
    return message


def calls_of(value: Any, bad: Fault) -> list[Read]:
    """Return calls in OpenAI's form, their arguments as objects, of a list, one, or its JSON."""
    found = _read(value)
    calls = found if isinstance(found, list) else [found]
    if not calls:
        raise bad("has an empty list of calls", f"Write {CALL}")
    return [_call(call, bad) for call in calls]


def _call(call: Any, bad: Fault) -> Read:
    told = (call.get("function") or call) if isinstance(call, Mapping) else None
    if not isinstance(told, Mapping) or not isinstance(told.get("name"), str):
        raise bad(f"has {shown(call)}, no call of a function with a name", f"Write {CALL}")
    arguments = _read(told.get("arguments") or {})
    if not isinstance(arguments, Mapping):
        said = f"calls {told['name']!r} with {shown(arguments)}, no object and no JSON of one"
        raise bad(said, f"Write {CALL}")
    made: Read = {"type": "function", "function": {"name": told["name"], "arguments": arguments}}
    return {"id": call["id"], **made} if call.get("id") else made


def _read(value: Any) -> Any:
    """Return what a JSON text holds; the text itself where it is none."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def require_calls(found: Exchange, fault_of: Callable[[int], Fault], after: str = "") -> None:
    """See that each result of a tool follows an answer that may have called it.

    Args:
        found: the messages.
        fault_of: returns what makes the fault of the message of a number.
        after: the role of the message before the first, where there is one.
    """
    before = after
    for number, message in enumerate(found.messages, found.first):
        if message["role"] == "tool" and before not in {"assistant", "tool"}:
            place = f"after the {before}" if before else "at the start"
            said = f"is of the tool, {place}, where an answer with a call was expected"
            raise fault_of(number)(said, "Put the roles in order")
        before = message["role"]
