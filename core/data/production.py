"""The shards of a dataset that are not there yet, made by as many processes as can work at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from luthier.core.data import processes
from luthier.core.data.columns import Columns, joined
from luthier.core.data.rows import GivenRow
from luthier.core.data.shards import Counts, Shard
from luthier.core.data.worker import BATCH, DataWorker

ROWS = 10_000
"""Rows of the source in one shard."""


def shards(one: DataWorker, start: int) -> Iterator[tuple[Columns, Shard]]:
    """Yield the shards of a dataset from the one on that begins with a row of its source.

    They are the same, however many processes make them. The last is the one that is not full.

    Args:
        one: what makes them of rows.
        start: the number of the row, which counts from 0.
    """
    made = processes.in_order(
        lambda batch: one.made(*batch), _batches(one, start), processes.wanted()
    )
    while True:
        parts, shard = [], Shard(Counts())
        with _without_collection():
            for columns, part in made:
                parts.append(columns)
                shard += part
                if shard.counts.read == ROWS:
                    break
        shard.last = shard.counts.read < ROWS
        yield joined(parts), shard
        if shard.last:
            return


def _batches(one: DataWorker, start: int) -> Iterator[tuple[int, Sequence[GivenRow]]]:
    """Yield neighbouring rows, all of one shard, and the number of the first."""
    rows = one.aligned.rows.read(start)
    while batch := list(islice(rows, min(BATCH, ROWS - start % ROWS))):
        yield start, batch
        start += len(batch)


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
