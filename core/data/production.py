"""The shards of a dataset that are not there yet, made by as many processes as can work at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from luthier.core.data import processes
from luthier.core.data.columns import Columns, joined
from luthier.core.data.rows import GivenRow
from luthier.core.data.shards import Counts, Shard
from luthier.core.data.standard import BadValue
from luthier.core.data.worker import BATCH, DataWorker

ROWS = 2_500
"""The most rows of the source in one shard: it is written while other processes have but one batch
each to work on, and should be done by then."""
CHARACTERS, BATCH_CHARACTERS = 2**27, 2**23
"""So many of a shard, or of a batch, end it: a row may be a whole book."""


def shards(one: DataWorker, start: int) -> Iterator[tuple[Columns, Shard]]:
    """Yield the shards of a dataset from the one on that begins with a row of its source.

    They are the same, however many processes make them. The last is the one that is not full.

    Args:
        one: what makes them of rows.
        start: the number of the row, which counts from 0.
    """
    made = processes.in_order(
        lambda batch: (batch.ends, one.made(batch.start, batch.rows)),
        _batches(one, start),
        processes.wanted(),
    )
    while True:
        parts, shard = [], Shard(Counts(), last=True)
        with _without_collection():
            for ends, (columns, part) in made:
                parts.append(columns)
                shard += part
                if ends:
                    shard.last = False
                    break
        yield joined(parts), shard
        if shard.last:
            return


class _Batch(NamedTuple):
    """Neighbouring rows, all of one shard."""

    start: int
    """The number of the first."""
    rows: Sequence[GivenRow]
    ends: bool
    """Whether they fill their shard."""


def _batches(one: DataWorker, start: int) -> Iterator[_Batch]:
    """Yield the rows from the one of that number on, with which a shard begins."""
    batch: list[GivenRow] = []
    count = characters = before = 0  # of the shard, and of it before the batch
    for row in one.aligned.rows.read(start):
        batch.append(row)
        count += 1
        characters += _length_of(row)
        ends = count == ROWS or characters >= CHARACTERS
        if ends or len(batch) == BATCH or characters - before >= BATCH_CHARACTERS:
            yield _Batch(start, batch, ends)
            start += len(batch)
            if ends:
                count = characters = 0
            batch, before = [], characters
    if batch:
        yield _Batch(start, batch, ends=False)


def _length_of(row: GivenRow) -> int:
    """Return about how long a row is: the texts and lists of its columns, not what is in these."""
    if isinstance(row, BadValue):
        return 0
    return sum(len(value) for value in row.values() if isinstance(value, str | list))


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep Python from looking for cycles among a shard's rows: it finds none, time and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
