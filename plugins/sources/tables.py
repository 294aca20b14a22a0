"""The rows of Parquet and Arrow files, by batches (https://arrow.apache.org/docs/python/ipc.html)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from luthier.core import BadData
from luthier.core.data.padding import unpadded
from luthier.plugins.sources.found import Found, Reading

READ_AT_ONCE = 1000
FILE_MAGIC = b"ARROW1"
"""What a file of Arrow's IPC begins with; a stream does not."""


def parquet_rows(stream: io.BufferedReader, name: str, start: int) -> Reading:
    """Yield the rows of a Parquet file; row groups before the first row wanted are not read."""
    from pyarrow.parquet import ParquetFile

    with _sound(name, "Parquet"), ParquetFile(stream) as table:
        facts = table.metadata
        skipped, group = 0, 0
        while group < facts.num_row_groups:
            rows = facts.row_group(group).num_rows
            if skipped + rows > start:
                break
            skipped, group = skipped + rows, group + 1
        wanted = list(range(group, facts.num_row_groups))
        # asked for no group, pyarrow gives batches without rows
        for batch in table.iter_batches(READ_AT_ONCE, row_groups=wanted) if wanted else ():
            yield from _of_batch(batch, max(0, start - skipped))
            skipped += batch.num_rows
        return int(facts.num_rows)


def arrow_rows(stream: io.BufferedReader, name: str, start: int) -> Reading:
    """Yield the rows of an Arrow file, of the file or of the stream format."""
    with _sound(name, "Arrow"):
        seen = 0
        for batch in _batches(stream):
            yield from _of_batch(batch, max(0, start - seen))
            seen += batch.num_rows
        return seen


def _batches(stream: io.BufferedReader) -> Iterator[Any]:
    from pyarrow import ipc

    if stream.peek(len(FILE_MAGIC)).startswith(FILE_MAGIC):
        with ipc.open_file(stream) as reader:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)
    else:
        with ipc.open_stream(stream) as reader:
            yield from reader


def _of_batch(batch: Any, start: int) -> Iterator[Found]:
    change = unpadded(batch.schema)
    # a batch may hold all of a file
    for first in range(start, batch.num_rows, READ_AT_ONCE):
        for row in batch.slice(first, READ_AT_ONCE).to_pylist():
            yield Found(None, change(row))


@contextmanager
def _sound(name: str, kind: str) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError) as fault:
        said = " ".join(str(fault).split()).rstrip(".")
        raise BadData(
            f"{name} cannot be read as {kind}: {said}. "
            "Look whether the file is whole, and whether its ending says what it is."
        ) from fault
