"""The rows of one JSON list, which is read in pieces and never whole."""

from __future__ import annotations

import codecs
import io
import json
from typing import Any

from luthier.core import BadData
from luthier.plugins.sources.found import Found, Reading, no_object

READ_AT_ONCE = 2**16
LONGEST_TOKEN = 16
"""An error this near to the end of what was read may be of what was not read yet: `-Infinity`, or
a character written by two escapes, are the longest that a piece can end in the middle of."""
SPACE = " \t\r\n"


def listed_rows(stream: io.BufferedReader, name: str, start: int) -> Reading:
    """Yield the rows of a file that is one list of objects.

    Raises:
        BadData: it is no such list; the message says where.
    """
    text = _Text(stream, name)
    text.take("[", "a list of objects")
    seen = 0
    while text.next_character() != "]":
        if seen:
            text.take(",", "a comma or the end of the list")
            text.next_character()
        line = text.line
        value = text.value()
        if seen >= start:
            yield Found(line, value if isinstance(value, dict) else no_object(value))
        seen += 1
    text.take("]", "the end of the list")
    if text.next_character():
        raise text.fault("there is more after the end of the list")
    return seen


class _Text:
    """The part of a file that was read and not yet taken, and where it stands."""

    def __init__(self, stream: io.BufferedReader, name: str) -> None:
        self.stream, self.name = stream, name
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.scan = json.JSONDecoder().raw_decode
        self.held, self.at = "", 0
        self.line, self.column = 1, 1
        self.ended = False

    def next_character(self) -> str:
        """Pass over white space; return what follows, empty at the end of the file."""
        while True:
            end = self.at
            while end < len(self.held) and self.held[end] in SPACE:
                end += 1
            self._pass(end)
            if self.at < len(self.held) or self.ended:
                return self.held[self.at : self.at + 1]
            self._read(READ_AT_ONCE)

    def take(self, character: str, meant: str) -> None:
        """Pass over a character that has to be there."""
        if self.next_character() != character:
            raise self.fault(f"expected {meant}")
        self._pass(self.at + 1)

    def value(self) -> Any:
        """Return the value that stands here, and pass over it."""
        while True:
            try:
                value, end = self.scan(self.held, self.at)
            except json.JSONDecodeError as fault:
                is_cut = (
                    fault.msg.startswith("Unterminated string")
                    or fault.pos >= len(self.held) - LONGEST_TOKEN
                )
                if self.ended or not is_cut:
                    self._pass(fault.pos)
                    raise self.fault(fault.msg) from fault
                # twice as much each time, so that a long value is not parsed anew too often
                self._read(max(READ_AT_ONCE, len(self.held) - self.at))
            except (ValueError, RecursionError) as fault:
                raise self.fault(str(fault)) from fault
            else:
                self._pass(end)
                return value

    def fault(self, said: str) -> BadData:
        """Return an error about what stands here."""
        return BadData(
            f"{self.name}:{self.line}:{self.column}: {said}. "
            "Write a JSON object on each line, or one list of objects."
        )

    def _pass(self, end: int) -> None:
        lines = self.held.count("\n", self.at, end)
        if lines:
            self.line += lines
            self.column = end - self.held.rindex("\n", self.at, end)
        else:
            self.column += end - self.at
        self.at = end

    def _read(self, count: int) -> None:
        piece = self.stream.read(count)
        self.ended = not piece
        try:
            more = self.decoder.decode(piece, final=self.ended)
        except UnicodeDecodeError as fault:
            self.held = self.held[self.at :] + fault.object[: fault.start].decode()
            self.at = 0
            self._pass(len(self.held))
            raise BadData(
                f"{self.name}:{self.line}:{self.column}: the byte "
                f"0x{fault.object[fault.start]:02x} is no UTF-8. Save the file in UTF-8."
            ) from fault
        self.held, self.at = self.held[self.at :] + more, 0
