"""Harmony, the format of gpt-oss: how an answer of several messages is read.

Source: OpenAI's harmony library (https://github.com/openai/harmony).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from luthier.core.templates import ChatTemplate, Event, Reader, ToolCall
from luthier.core.templates.tools import loosely

_BEGINNINGS = ("<|channel|>", "<|start|>", " to=", "to=")
_ENDS = ("<|end|>", "<|call|>", "<|return|>")


class HarmonyTemplate(ChatTemplate):
    """A template whose answers are messages, each to a channel or to a tool."""

    def reader(self, *, prompt: str | None = None) -> Reader:  # noqa: ARG002 (headers tell)
        """Return what reads an answer piece by piece; the prompt never begins its thoughts."""
        return HarmonyReader(self.tools, self.thinking, prompted=False)


class HarmonyReader(Reader):
    """Reads the messages of an answer: what stands before `<|message|>` says what each is."""

    _header: str | None = None
    """The header of the message that is being read; None while it is not whole."""

    def _read(self, *, final: bool) -> Iterator[Event | None]:
        while self._buffer:
            if self._header is None and not self._begun(final=final):
                return
            body, end = self._body(final=final)
            kind, name = _told(self._header or "")
            if kind != "call":
                self._buffer = self._buffer[len(body) :].removeprefix(end or "")
                yield Event(kind, body)
            elif end is not None or final:
                self._buffer = self._buffer[len(body) + len(end or "") :]
                arguments = loosely(body.strip() or "{}")
                if isinstance(arguments, dict):
                    yield Event("call", call=ToolCall(name, arguments))
                else:
                    yield Event("content", body)
            if end is None:
                return
            self._header = None

    def _begun(self, *, final: bool) -> bool:
        """Take off a message's header, and say whether its text has begun."""
        known = any(self._buffer.startswith(b[: len(self._buffer)]) for b in _BEGINNINGS)
        header, found, rest = self._buffer.partition("<|message|>")
        if known and found:
            self._header, self._buffer = header, rest
        elif final or not known:
            self._header = ""  # a text without a header is content
        return self._header is not None

    def _body(self, *, final: bool) -> tuple[str, str | None]:
        """Return a message's text as far as it is certain, and what ended it."""
        found = [(at, end) for end in _ENDS if (at := self._buffer.find(end)) >= 0]
        if found:
            at, end = min(found)
            return self._buffer[:at], end
        held = 0
        if not final:
            sizes = range(1, max(map(len, _ENDS)))
            held = max((n for n in sizes if self._buffer[-n:] in {e[:n] for e in _ENDS}), default=0)
        return self._buffer[: len(self._buffer) - held], None


def _told(header: str) -> tuple[Literal["content", "thinking", "call"], str]:
    """Return what a header says that its message is, and the name of the tool it calls."""
    if recipient := re.search(r"\bto=(?:functions\.)?([^\s<]+)", header):
        return "call", recipient[1]
    return ("thinking" if "<|channel|>analysis" in header else "content"), ""
