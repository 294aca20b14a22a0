"""Where contents stand in a rendered text: it is rendered again, with placeholders for them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from luthier.core.errors import TemplateError
from luthier.core.templates.marking import CONTENT, IGNORED, LITERAL, TRAINED, escaped

BEGIN, END = "\ufdd5", "\ufdd6"
"""What a placeholder begins and ends with: noncharacters, which no template looks for."""
_PLACEHOLDER = re.compile(f"{BEGIN}([0-9]+){END}")

SAID = ("content", "reasoning_content", "arguments")
"""The keys of a message whose texts are held by placeholders, however deep."""
TOLD = ("description",)
"""The keys of a tool whose texts are."""
TOOLS = -1
"""The number of the message that tools are counted to."""

_ALTERED = (
    "this chat template alters what the conversation says, so it cannot be told which of its text "
    "is whose. Choose one that `luthier template list` lists."
)


class Held(NamedTuple):
    """A text that a placeholder stands for."""

    text: str
    message: int
    """The number of its message, or `TOOLS`."""


class Stretch(NamedTuple):
    """A stretch of the rendered text."""

    text: str
    at: int
    """Where it begins."""
    message: int | None
    """The message that it is a content of, or `TOOLS`; None for the template's own text."""

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.at + len(self.text)


class Holder:
    """Puts placeholders for texts, and keeps the texts."""

    def __init__(self, special_tokens: Sequence[str]) -> None:
        """Hold any text that has a special token in it, whatever its key."""
        self.held: list[Held] = []
        self._special = special_tokens

    def placeheld(
        self, value: Any, keys: Sequence[str], message: int, *, within: bool = False
    ) -> Any:
        """Return a value with a placeholder for each text beneath the keys; empty ones stay."""
        if isinstance(value, str):
            within = within or any(token in value for token in self._special)
            if not within or not value.strip():
                return value
            self.held.append(Held(value, message))
            return f"{BEGIN}{len(self.held) - 1}{END}"
        if isinstance(value, Mapping):
            return {
                key: self.placeheld(one, keys, message, within=within or key in keys)
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [self.placeheld(one, keys, message, within=within) for one in value]
        return value


def aligned(marked: str, text: str, held: Sequence[Held]) -> Iterator[Stretch]:
    """Yield the stretches of a text, by the placeholders that stand in the same text for contents.

    Raises:
        TemplateError: the two are not the same text but for the contents.
    """
    parts = _PLACEHOLDER.split(marked)
    at = 0
    for literal, number, following in zip(
        parts[::2], [*parts[1::2], None], [*parts[2::2], ""], strict=True
    ):
        if not text.startswith(literal, at):
            raise TemplateError(_ALTERED)
        if literal:
            yield Stretch(literal, at, None)
        at += len(literal)
        if number is None:
            break
        one = held[int(number)]
        content = next((w for w in _writings(one.text) if text.startswith(w + following, at)), None)
        if content is None:
            raise TemplateError(_ALTERED)
        if content:
            yield Stretch(content, at, one.message)
        at += len(content)
    if at != len(text):
        raise TemplateError(_ALTERED)


def _writings(text: str) -> Iterator[str]:
    """Yield how a template may write a content without altering what it says."""
    yield text
    yield from (text.strip(), text.lstrip(), text.rstrip(), text.strip("\n"), text.lstrip("\n"))
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield json.dumps(text)[1:-1]
    yield repr(text)[1:-1]
    if "</think>" in text:
        yield from _writings(text.rpartition("</think>")[2])


def with_marks(stretches: Sequence[Stretch], spans: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield stretches as marked text, with the marks of the loss around spans of the text."""
    marks = [
        mark for start, end in spans if start < end for mark in ((start, TRAINED), (end, IGNORED))
    ]
    for text, at, message in stretches:
        done = 0
        while marks and marks[0][0] < at + len(text):
            place, mark = marks.pop(0)
            yield _own(text[done : place - at], message)
            yield mark
            done = place - at
        yield _own(text[done:], message)
    yield from (mark for _, mark in marks)


def _own(text: str, message: int | None) -> str:
    return text if message is None or not text else f"{CONTENT}{escaped(text)}{LITERAL}"
