"""OpenAI: rows of messages, each with a role and a content, as chat APIs take them.

Source: https://platform.openai.com/docs/guides/supervised-fine-tuning. The columns `prompt` and
`completion` are TRL's (https://huggingface.co/docs/trl/dataset_formats#prompt-completion).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any, ClassVar

from luthier.core.data import Conversation
from luthier.plugins.formats.columns import Read
from luthier.plugins.formats.messages import (
    Exchange,
    Fault,
    MessageFormat,
    calls_of,
    counted,
    require_calls,
)


class OpenAI(MessageFormat):
    """Rows of messages with a role and a content; or of a prompt and its completion."""

    messages: str = "messages"
    """The column of the messages."""
    prompt: str = "prompt"
    """The column of a prompt, a text or messages, where there is none of messages."""
    completion: str = "completion"
    """The column of what completes the prompt, a text or messages; the loss counts it alone."""
    system: str = "system"
    """The column of the system prompt, which a first message of the system overrides; may be
    absent."""
    tools: str = "tools"
    """The column of the function tools, a list in OpenAI's form or its JSON text; may be absent."""
    role_tag: str = "role"
    """The key of a message that says whose it is."""
    content_tag: str = "content"
    """The key of a message that holds what is said."""
    user_tag: str = "user"
    """The role that asks; OpenAI's own is understood besides, as it is of each role below."""
    assistant_tag: str = "assistant"
    """The role that answers."""
    observation_tag: str = "tool"
    """The role of the result of a call."""
    function_tag: str = "function_call"
    """The role of a call: the JSON of a name and arguments, or of a list of these."""
    system_tag: str = "system"
    """The role of the system prompt, where it is the first message."""

    called: ClassVar = "openai"

    def standard(self, row: dict[str, Any]) -> Conversation:
        """Return the messages of a row as a conversation that the last one answers."""
        if self.messages in row:
            found = self.exchange(row, "messages")
            require_calls(found, partial(self.fault_of, "messages"))
            prompt, answer = self.answered(found, "messages")
        elif self.prompt in row and self.completion in row:
            found = self._completed(row)
            prompt, answer = self.answered(found, "completion")
        elif self.prompt in row:
            raise self.absent(row, "completion")
        else:
            raise self.absent(row, "messages", "prompt")
        system = found.system or self.text(row, "system")
        return Conversation(prompt, [answer], system, self.functions(row))

    @cached_property
    def _roles(self) -> dict[str, str]:
        return {
            self.user_tag: "user",
            self.assistant_tag: "assistant",
            self.observation_tag: "tool",
            self.function_tag: "call",
            self.system_tag: "system",
        }

    def message_of(self, value: Any, bad: Fault) -> Read:
        """Return a message whose keys and roles may have names of their own."""
        if isinstance(value, Mapping) and isinstance(tag := value.get(self.role_tag), str):
            content, role = value.get(self.content_tag), self._roles.get(tag, tag)
            if role == "call":
                called = {"role": "assistant", "content": "", "tool_calls": calls_of(content, bad)}
                return counted(called, value, bad)
            if (role, self.content_tag) != (value.get("role"), "content"):
                value = {**value, "role": role, "content": content}
        return super().message_of(value, bad)

    def _completed(self, row: dict[str, Any]) -> Exchange:
        asked = self.said(row, "prompt", "user")
        told = self.completion_of(row, "completion")
        require_calls(asked, partial(self.fault_of, "prompt"))
        last = asked.messages[-1]["role"] if asked.messages else ""
        require_calls(told, partial(self.fault_of, "completion"), after=last)
        prompt = [
            {**one, "train": False} if one["role"] == "assistant" else one for one in asked.messages
        ]
        return Exchange(asked.system, prompt + told.messages, 1 - len(prompt))
