"""The rows of text files: JSON, JSON lines, CSV, TSV and plain text, all in UTF-8."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from luthier.core import BadData
from luthier.core.data import BadValue
from luthier.plugins.sources.found import Found, Reading, no_object
from luthier.plugins.sources.listing import listed_rows

BOM = b"\xef\xbb\xbf"
LONGEST_FIELD = 2**31 - 1
"""The csv module's limit, raised as far as a C long goes everywhere; it is 128 KiB otherwise."""


def json_rows(stream: io.BufferedReader, name: str, start: int) -> Reading:
    """Yield the rows of a file: a list of objects, or an object on each line.

    Lines before the first row wanted are not parsed.
    """
    if stream.peek().removeprefix(BOM).lstrip().startswith(b"["):
        return (yield from listed_rows(stream, name, start))
    seen = 0
    for number, line in _raw_lines(stream):
        if not line.strip():
            continue
        if seen >= start:
            yield Found(number, _object(line, name, number))
        seen += 1
    return seen


def _object(line: bytes, name: str, number: int) -> dict[str, Any] | BadValue:
    """Return the object that a line holds, or what is wrong with it."""
    try:
        # without its end, behind which the json module would find the fault of one that is cut
        value = json.loads(line.decode().rstrip("\r\n"))
    except UnicodeDecodeError as fault:
        return _no_utf8(line, fault, name, number)
    except (ValueError, RecursionError) as fault:
        said = getattr(fault, "msg", str(fault)).rstrip(".")
        return BadValue(
            f"no JSON: {said}",
            "Write a JSON object on each line, or one list of objects.",
            place=f"{name}:{number}:{getattr(fault, 'colno', 1)}",
        )
    return value if isinstance(value, dict) else no_object(value)


def csv_rows(stream: io.BufferedReader, name: str, start: int, delimiter: str = ",") -> Reading:
    """Yield the rows of a file whose first line names the columns.

    Every value is a text: what looks like a number or a date is not made one.

    Raises:
        BadData: two columns have one name, or a quote is not closed.
    """
    csv.field_size_limit(LONGEST_FIELD)
    lines = (_decoded(line, name, number) for number, line in _raw_lines(stream))
    # not strict, a quote that is never closed would take the rest of the file for its value
    reader = csv.DictReader(lines, delimiter=delimiter, strict=True)
    seen = after = 0
    try:
        _require_commas(reader.fieldnames or (), delimiter, name)
        _require_distinct(reader.fieldnames or (), name)
        after = reader.line_num
        for row in reader:
            if seen >= start:
                # None is where the csv module puts what has no column
                yield Found(after + 1, _too_long(name, reader.line_num) if None in row else row)
            after = reader.line_num
            seen += 1
    except csv.Error as fault:
        raise BadData(
            f"{name}:{after + 1}: the row that begins here cannot be read: {fault}. Close each "
            "double quote that opens a value, and write one that belongs to such a value as two."
        ) from fault
    return seen


def _too_long(name: str, line: int) -> BadValue:
    return BadValue(
        "the row has more values than there are columns",
        "Put a value that holds a comma in double quotes.",
        place=f"{name}:{line}",
    )


def _require_distinct(columns: Any, name: str) -> None:
    for column in columns:
        if columns.count(column) > 1:
            raise BadData(f"{name}:1: two columns are called {column!r}. Rename one of them.")


def _require_commas(columns: Any, delimiter: str, name: str) -> None:
    """Refuse a file whose one column has a name that is a list of several, parted otherwise."""
    for other in ";\t|":
        if len(columns) == 1 and other != delimiter and other in columns[0]:
            given = {"\t": "a tab", ",": "commas"}
            raise BadData(
                f"{name}:1: the columns stand apart by {given.get(other, repr(other))}, and "
                f"{given.get(delimiter, delimiter)} are expected. Save the file with commas, or "
                "with tabs as .tsv."
            )


def tsv_rows(stream: io.BufferedReader, name: str, start: int) -> Reading:
    """Yield the rows of a file of values between tabs."""
    return csv_rows(stream, name, start, "\t")


def _text_lines(stream: io.BufferedReader, name: str, start: int) -> Reading:
    seen = 0
    for number, line in _raw_lines(stream):
        if line.strip():
            if seen >= start:
                yield Found(number, {"text": _decoded(line, name, number).rstrip("\r\n")})
            seen += 1
    return seen


def _paragraphs(stream: io.BufferedReader, name: str, start: int) -> Reading:
    seen = 0
    held: list[str] = []
    first = 1
    for number, raw in chain(_raw_lines(stream), [(0, b"")]):
        line = _decoded(raw, name, number).rstrip("\r\n")
        if line.strip():
            first = first if held else number
            held.append(line)
        elif held:
            if seen >= start:
                yield Found(first, {"text": "\n".join(held)})
            seen, held = seen + 1, []
    return seen


def _whole_text(stream: io.BufferedReader, name: str, start: int) -> Reading:
    lines = [_decoded(line, name, number) for number, line in _raw_lines(stream)]
    text = "".join(lines)
    if text.strip() and not start:
        yield Found(1, {"text": text})
    return 1 if text.strip() else 0


TEXT_ROWS: Mapping[str, Callable[[io.BufferedReader, str, int], Reading]] = {
    "lines": _text_lines,
    "paragraphs": _paragraphs,
    "files": _whole_text,
}
"""What reads a text file, by what is one row of it; a blank row is none."""


def _raw_lines(stream: io.BufferedReader) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(stream, 1):
        yield number, line.removeprefix(BOM) if number == 1 else line


def _decoded(line: bytes, name: str, number: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as fault:
        bad = _no_utf8(line, fault, name, number)
        raise BadData(f"{bad.place}: {bad.problem}. {bad.remedy}") from fault


def _no_utf8(line: bytes, fault: UnicodeDecodeError, name: str, number: int) -> BadValue:
    column = len(line[: fault.start].decode()) + 1
    return BadValue(
        f"the byte 0x{line[fault.start]:02x} is no UTF-8",
        "Save the file in UTF-8.",
        place=f"{name}:{number}:{column}",
    )
