"""Reading what a model wrote: its thoughts, its tool calls and the rest, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from luthier.core.templates.tools import ToolCall, ToolStyle

if TYPE_CHECKING:
    from luthier.core.templates.template import Thinking


_TRIES = 4
"""From how many openings within a body that cannot be read it is tried again."""


class Event(NamedTuple):
    """Something that was read: a stretch of content or of thoughts, or a whole call."""

    kind: Literal["content", "thinking", "call"]
    text: str = ""
    call: ToolCall | None = None


@dataclass(frozen=True)
class Reply:
    """An answer, taken apart."""

    content: str
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()

    def message(self) -> dict[str, Any]:
        """Return the answer as a message in OpenAI's form."""
        message: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.thinking:
            message["reasoning_content"] = self.thinking
        if self.calls:
            message["tool_calls"] = [call.openai(n) for n, call in enumerate(self.calls)]
        return message


class Reader:
    """Reads an answer as it is written. It never raises: what cannot be read is content."""

    def __init__(
        self,
        tools: ToolStyle | None,
        thinking: Thinking | None,
        *,
        prompted: bool,
        around: tuple[str, str] = ("", ""),
    ) -> None:
        """Read by a style of tools and of thoughts.

        Args:
            tools: how calls are written; None for none.
            thinking: how thoughts are written; None for none.
            prompted: whether the prompt began the thoughts.
            around: what the format puts before and after a content.
        """
        self._before, self._after = around
        self._tools = tools
        self._thinking = thinking
        self._buffer = ""
        self._mode: Literal["thinking", "text", "call"] = "text"
        self._at_start = True
        self._gap = ""
        """The white space before a call, left out unless the call turns out to be none."""
        self._opening = ""
        self._closed = False
        """Whether the white space that follows is that after the calls of a section."""
        if thinking is not None and prompted:
            self._mode = "thinking"
        self._fresh = True

    def feed(self, text: str) -> list[Event]:
        """Return what can be told for certain after one more piece."""
        self._buffer += text
        return list(_merged(self._read(final=False)))

    def finish(self) -> list[Event]:
        """Return the rest."""
        return list(_merged(self._read(final=True)))

    @staticmethod
    def replied(events: Iterable[Event]) -> Reply:
        """Return the answer that events make."""
        found = list(events)
        return Reply(
            content="".join(e.text for e in found if e.kind == "content"),
            thinking="".join(e.text for e in found if e.kind == "thinking"),
            calls=tuple(e.call for e in found if e.call is not None),
        )

    def _read(self, *, final: bool) -> Iterator[Event | None]:
        progress = True
        while progress:
            progress = False
            step = {"thinking": self._in_thinking, "text": self._in_text, "call": self._in_call}
            for event in step[self._mode](final=final):
                if event is None:
                    progress = True
                else:
                    yield event

    def _in_thinking(self, *, final: bool) -> Iterator[Event | None]:
        assert self._thinking is not None  # noqa: S101 - the mode is entered only with it
        if self._fresh:
            self._buffer = self._buffer.lstrip("\n")
        close = self._thinking.close
        before, found, after = self._buffer.partition(close)
        if not found:
            kept = 0 if final else _held(self._buffer, (close,), "\n")
            yield from self._put("thinking", self._buffer[: len(self._buffer) - kept])
            self._buffer = self._buffer[len(self._buffer) - kept :]
            return
        yield from self._put("thinking", before.rstrip("\n"))
        self._buffer, self._mode, self._fresh = after, "text", True
        self._at_start = False
        yield None

    def _in_text(self, *, final: bool) -> Iterator[Event | None]:
        if self._closed:
            self._buffer = self._buffer.lstrip()
            self._closed = not self._buffer
        openings = self._openings()
        if self._may_begin_otherwise(final=final):
            return
        if self._mode == "thinking":
            yield None
            return
        at, opening = _first(self._buffer, openings)
        if self._tools is not None and self._tools.at_start and self._buffer[: max(at, 0)].strip():
            opening = None
        if opening is None:
            if final:
                self._buffer = self._buffer.removesuffix(self._after)
            kept = 0 if final else _held(self._buffer, openings, None, self._after)
            yield from self._put("content", self._buffer[: len(self._buffer) - kept])
            self._buffer = self._buffer[len(self._buffer) - kept :]
            return
        if self._begins_another(at, opening) and not final:
            return
        self._gap = self._buffer[len(self._buffer[:at].rstrip()) : at]
        yield from self._put("content", self._buffer[:at].rstrip())
        self._buffer, self._mode = self._buffer[at:], "call"
        self._opening = opening
        yield None

    def _may_begin_otherwise(self, *, final: bool) -> bool:
        """Take off what stands before a content; say whether more has to come to tell it."""
        if self._fresh and not self._at_start:
            self._buffer = self._buffer.lstrip("\n")  # what parts the thoughts from the answer
        if not self._at_start:
            return False
        if self._before and not final and self._before.startswith(self._buffer):
            return True
        self._buffer, self._before = self._buffer.removeprefix(self._before), ""
        begins = self._thinking.open if self._thinking else ""
        start = self._buffer.lstrip()
        if begins and start.startswith(begins):
            self._buffer, self._mode, self._fresh = start[len(begins) :], "thinking", True
            return False
        return bool(begins) and not final and begins.startswith(start)

    def _in_call(self, *, final: bool) -> Iterator[Event | None]:
        assert self._tools is not None  # noqa: S101 - the mode is entered only with it
        opening, close = self._opening, self._tools.close
        if opening in self._tools.section and opening != self._tools.open:
            self._closed = opening == self._tools.section[1]
            self._buffer, self._mode = self._buffer[len(opening) :], "text"
            yield None
            return
        end = self._buffer.find(close, len(opening)) if close else -1
        if end < 0 and not final:
            return
        body = self._buffer[len(opening) : end] if end >= 0 else self._buffer[len(opening) :]
        rest = self._buffer[end + len(close) :] if end >= 0 else ""
        self._mode = "text"
        said, calls = self._called(body)
        if calls is None:
            said = self._buffer[: len(self._buffer) - len(rest)]
        yield from self._put("content", self._gap + said if said else "")
        self._buffer, self._fresh = rest, False
        yield from (Event("call", call=call) for call in calls or ())
        yield None

    def _called(self, body: str) -> tuple[str, list[ToolCall] | None]:
        """Return the calls of a body, and what stands before them if they begin within it.

        An opening may be a word of the content, and then another one begins the call. Few of them
        are tried, for each takes the time of the whole body.
        """
        assert self._tools is not None  # noqa: S101 - see above
        opening, said, rest = self._tools.open, "", body
        for _ in range(_TRIES):
            calls = self._tools.read(rest)
            if calls is not None:
                return said.rstrip(), calls
            if not opening or opening not in rest or self._tools.at_start:
                break
            rest = rest.partition(opening)[2]
            said = self._opening + body[: len(body) - len(rest) - len(opening)]
        return "", None

    def _openings(self) -> tuple[str, ...]:
        if self._tools is None or (self._tools.at_start and not self._fresh):
            return ()
        return tuple(t for t in (self._tools.open, *self._tools.section) if t)

    def _begins_another(self, at: int, opening: str) -> bool:
        """Whether a longer opening may be on its way at the same place."""
        rest = self._buffer[at:]
        return any(
            len(other) > len(opening) and other.startswith(rest) for other in self._openings()
        )

    def _put(self, kind: Literal["content", "thinking"], text: str) -> Iterator[Event]:
        if text:
            self._fresh = self._at_start = False
            yield Event(kind, text)


def _first(text: str, openings: tuple[str, ...]) -> tuple[int, str | None]:
    """Return where the first opening stands, the longest of those at one place."""
    found = [(text.find(o), -len(o), o) for o in openings if o in text]
    return (min(found)[0], min(found)[2]) if found else (-1, None)


def _held(text: str, markers: tuple[str, ...], white: str | None, after: str = "") -> int:
    """Return how much of the end of a text may yet belong to a marker, or stand before one.

    Args:
        text: the text.
        markers: what may follow.
        white: the white space that may stand before a marker; None for any.
        after: what the text may end with, whole.
    """
    kept = len(after) if after and text.endswith(after) else 0
    markers = (*markers, after)
    for marker in markers:
        for size in range(min(len(marker) - 1, len(text)), 0, -1):
            if text.endswith(marker[:size]):
                kept = max(kept, size)
                break
    head = text[: len(text) - kept]
    return len(text) - len(head.rstrip(white))


def _merged(events: Iterable[Event | None]) -> Iterator[Event]:
    held: Event | None = None
    for event in events:
        if event is None:
            continue
        if held is not None and event.kind == held.kind != "call":
            held = Event(held.kind, held.text + event.text)
            continue
        if held is not None:
            yield held
        held = event
    if held is not None:
        yield held
