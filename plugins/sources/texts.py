"""The rows of text files: JSON, JSON lines, CSV, TSV and plain text, all in UTF-8."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from luthier.core import BadData
from luthier.plugins.sources.found import Found, Reading
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
            value = _parsed(_decoded(line, name, number), name, number)
            if not isinstance(value, dict):
                raise BadData(
                    f"{name}, row {seen + 1}: found {value!r:.60}, and a row is a JSON object. "
                    'Write it as {"column": value}, or leave the row out.'
                )
            yield Found(number, value)
        seen += 1
    return seen


def _parsed(line: str, name: str, number: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as fault:
        said = getattr(fault, "msg", str(fault))
        raise BadData(
            f"{name}:{number}:{getattr(fault, 'colno', 1)}: {said}. "
            "Write a JSON object on each line, or one list of objects."
        ) from fault


def csv_rows(stream: io.BufferedReader, name: str, start: int, delimiter: str = ",") -> Reading:
    """Yield the rows of a file whose first line names the columns.

    Every value is a text: what looks like a number or a date is not made one.

    Raises:
        BadData: a row has more values than there are columns, or two columns have one name.
    """
    csv.field_size_limit(LONGEST_FIELD)
    lines = (_decoded(line, name, number) for number, line in _raw_lines(stream))
    reader = csv.DictReader(lines, delimiter=delimiter)
    seen = 0
    try:
        _require_distinct(reader.fieldnames or (), name)
        after = reader.line_num
        for row in reader:
            if seen >= start:
                if None in row:  # where the csv module puts what has no column
                    raise BadData(
                        f"{name}:{reader.line_num}: the row has more values than there are "
                        "columns. Put a value that holds a comma in double quotes."
                    )
                yield Found(after + 1, row)
            after = reader.line_num
            seen += 1
    except csv.Error as fault:
        raise BadData(
            f"{name}:{reader.line_num}: {fault}. "
            "Put a value that holds a comma, a quote or a new line in double quotes."
        ) from fault
    return seen


def _require_distinct(columns: Any, name: str) -> None:
    for column in columns:
        if columns.count(column) > 1:
            raise BadData(f"{name}:1: two columns are called {column!r}. Rename one of them.")


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
        column = len(line[: fault.start].decode()) + 1
        raise BadData(
            f"{name}:{number}:{column}: the byte 0x{line[fault.start]:02x} is no UTF-8. "
            "Save the file in UTF-8."
        ) from fault
