"""What formats share: the turns of ShareGPT's rows, and the order in which roles take turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from luthier.core.problems import shown
from luthier.plugins.formats.columns import Read
from luthier.plugins.formats.messages import (
    Exchange,
    Fault,
    MessageFormat,
    calls_of,
    counted,
    openai_message,
    sound,
)
from luthier.plugins.formats.thoughts import answer

ALIASES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "observation": "tool", "tool": "tool", "function_call": "call", "system": "system",
}  # fmt: skip


class TurnFormat(MessageFormat):
    """Base of a format whose rows hold turns, each from somebody; or messages of OpenAI's form."""

    role_tag: str = "from"
    """The key of a turn that says whose it is."""
    content_tag: str = "value"
    """The key of a turn that holds what is said."""
    user_tag: str = "human"
    """Who asks; `user` is understood besides."""
    assistant_tag: str = "gpt"
    """Who answers; `assistant` is understood besides."""
    observation_tag: str = "observation"
    """Whose turn the result of a call is; `tool` is understood besides."""
    function_tag: str = "function_call"
    """Whose turn a call is: the JSON of a name and arguments, or of a list of these."""
    system_tag: str = "system"
    """Whose turn the system prompt is, where it is the first one."""

    @cached_property
    def _roles(self) -> dict[str, str]:
        return ALIASES | {
            self.user_tag: "user",
            self.assistant_tag: "assistant",
            self.observation_tag: "tool",
            self.function_tag: "call",
            self.system_tag: "system",
        }

    def example(self) -> str:
        """Return a turn as this format has it, for what is said of bad ones."""
        return json.dumps({self.role_tag: self.user_tag, self.content_tag: "..."})

    def message_of(self, value: Any, bad: Fault) -> Read:
        """Return a turn in OpenAI's form, whichever of the two it is written in."""
        if isinstance(value, Mapping):
            if value.get(self.role_tag) is not None:
                return self._turn(value, bad)
            if value.get("role") is not None:
                return openai_message(value, bad)
        raise bad(
            f"is {shown(value)}, and expected was {self.example()}",
            f"Write it so, name its keys by `format: {{name: {self.called}, role_tag: KEY, "
            "content_tag: KEY}`",
        )

    def _turn(self, value: Mapping[str, Any], bad: Fault) -> Read:
        tag = value[self.role_tag]
        role = self._roles.get(tag) if isinstance(tag, str) else None
        if role is None:
            raise bad(
                f"is from {shown(tag)}; expected was one of {', '.join(self._roles)}",
                f"Say who it is by `format: {{name: {self.called}, user_tag: NAME, "
                "assistant_tag: NAME}`",
            )
        content = value.get(self.content_tag)
        if role == "call":
            called = {"role": "assistant", "content": "", "tool_calls": calls_of(content, bad)}
            return counted(called, value, bad)
        if not isinstance(content, str):
            said = f"has {shown(content)} as its {self.content_tag!r}; expected was a text"
            raise bad(said, "Write it in quotes")
        message = answer(content) if role == "assistant" else {"role": role, "content": content}
        return sound(counted(message, value, bad), bad)


FOLLOWS = {
    "user": ("", "assistant"),
    "assistant": ("user", "tool"),
    "tool": ("assistant", "tool"),
}
"""What each role follows where roles take turns; "" is the start."""


def require_turns(found: Exchange, fault_of: Callable[[int], Fault]) -> None:
    """See that questions and answers take turns, and results follow calls.

    Args:
        found: the messages.
        fault_of: returns what makes the fault of the message of a number.
    """
    before, open_calls = "", 0
    for number, message in enumerate(found.messages, found.first):
        role = message["role"]
        if before not in FOLLOWS.get(role, ()):
            expected = " or ".join(one for one, after in FOLLOWS.items() if before in after)
            place = f"after the {before}" if before else "at the start"
            said = f"is of the {role}, {place}, where {expected} was expected"
            raise fault_of(number)(said, "Put the roles in order")
        if role == "tool":
            open_calls -= 1
            if open_calls < 0:
                said = "is one result more than there are calls before it"
                raise fault_of(number)(said, "Write a call for each result")
        elif role == "assistant":
            # calls that are written in an answer's text cannot be counted
            open_calls = calls_in(message)
        before = role


def calls_in(message: Read) -> int:
    """Return how many results may follow an answer."""
    calls: Sequence[Any] = message.get("tool_calls") or ("in its text",)
    return len(calls)
