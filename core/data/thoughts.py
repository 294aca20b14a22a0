"""The thoughts of rows: which rows have none, and which have some that are not trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.core.data.standard import Conversation, Message, StandardRow, as_written
from luthier.core.errors import TemplateError

if TYPE_CHECKING:
    from luthier.core.templates import ChatTemplate

_PROBE = "A thought."


class Thoughts:
    """What a chat template does with the thoughts of answers."""

    def __init__(self, template: ChatTemplate | None) -> None:
        """Read a template once."""
        marks = template.thinking if template is not None else None
        self._close = marks.close if marks is not None else ""
        self._asked_for = template is not None and marks is not None and template.thinks
        self._drops_apart = template is not None and _leaves_out(
            template, {"content": "Yes.", "reasoning_content": _PROBE}
        )
        self._drops_within = (
            template is not None
            and marks is not None
            and _leaves_out(template, {"content": f"{marks.open}{_PROBE}{marks.close}Yes."})
        )

    def are_missing(self, row: StandardRow) -> bool:
        """Return whether a row has none, where the template is one of a model that thinks."""
        return (
            self._asked_for
            and isinstance(row, Conversation)
            and not any(_apart(one) or self._within(one) for one in map(self.told, row.response))
        )

    def are_left_out(self, row: StandardRow) -> bool:
        """Return whether a row holds thoughts that the template does not print in an answer."""
        return isinstance(row, Conversation) and any(
            (self._drops_apart and _apart(one)) or (self._drops_within and self._within(one))
            for one in map(self.told, row.response)
        )

    def told(self, message: Message) -> Message:
        """Return a message as it is told to the template.

        Thoughts that stood in its content stand there again where the template prints them so, or
        prints none that are apart; else it writes them between marks of its own.
        """
        if "written" not in message:
            return message
        within = bool(self._close) and self._close in message["written"]
        if self._drops_apart or (within and not self._drops_within):
            return as_written(message)
        return {key: value for key, value in message.items() if key != "written"}

    def _within(self, message: Mapping[str, Any]) -> bool:
        return bool(self._close) and self._close in (message.get("content") or "")


def _leaves_out(template: ChatTemplate, answer: Mapping[str, str]) -> bool:
    """Whether the template prints an answer without its thoughts."""
    chat = [{"role": "user", "content": "Is it?"}, {"role": "assistant", **answer}]
    try:
        return _PROBE not in template.render(chat).text
    except TemplateError:
        return template.thinking is None or template.thinking.kept == "none"


def _apart(message: Mapping[str, Any]) -> bool:
    return bool(message.get("reasoning_content"))
