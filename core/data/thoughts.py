"""The thoughts of rows: which rows have none, and which have some that are not trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.core.errors import TemplateError

if TYPE_CHECKING:
    from datasets import Dataset

    from luthier.core.templates import ChatTemplate

_PROBE = "A thought."


def thoughtless(rows: Dataset, template: ChatTemplate | None) -> int:
    """Return how many rows hold no thoughts; none where the template is to have none."""
    if template is None or template.thinking is None or not template.thinks:
        return 0
    close = template.thinking.close
    return sum(
        not any(_apart(message) or _within(message, close) for message in answers)
        for answers in rows["response"]
    )


def left_out(rows: Dataset, template: ChatTemplate | None) -> int:
    """Return how many rows hold thoughts that the template does not print in an answer."""
    if template is None:
        return 0
    marks = template.thinking
    apart = _leaves_out(template, {"content": "Yes.", "reasoning_content": _PROBE})
    within = marks is not None and _leaves_out(
        template, {"content": f"{marks.open}{_PROBE}{marks.close}Yes."}
    )
    close = marks.close if marks is not None and within else ""
    return sum(
        any((apart and _apart(one)) or (close and _within(one, close)) for one in answers)
        for answers in rows["response"]
    )


def _leaves_out(template: ChatTemplate, answer: Mapping[str, str]) -> bool:
    """Whether the template prints an answer without its thoughts."""
    chat = [{"role": "user", "content": "Is it?"}, {"role": "assistant", **answer}]
    try:
        return _PROBE not in template.render(chat).text
    except TemplateError:
        return template.thinking is None or template.thinking.kept == "none"


def _apart(message: Mapping[str, Any]) -> bool:
    return bool(message.get("reasoning_content"))


def _within(message: Mapping[str, Any], close: str) -> bool:
    return close in (message["content"] or "")
