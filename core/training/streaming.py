"""Rows that are read, encoded and shuffled while the model trains; none is kept.

One pass follows the other without an end, so the place in the stream is the number of batches that
were taken of it, and a run that goes on skips as many.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from typing import Any

from torch.utils.data import IterableDataset

from luthier.core.data.mixing import interleaved
from luthier.core.sections import MixSection

Row = dict[str, list[int]]


class StreamedRows(IterableDataset[Row]):
    """Encoded rows of one or several sources, in another order in each pass."""

    def __init__(self, sources: Sequence[Iterable[Row]], mix: MixSection, seed: int) -> None:
        """Mix sources, each of which can be read again, as a run file says."""
        self.sources, self.mix, self.seed = sources, mix, seed

    def __iter__(self) -> Iterator[Row]:
        for number in count():
            read = 0
            for read, row in enumerate(self.one_pass(number), 1):  # noqa: B007 (how many)
                yield row
            if not read:
                return

    def one_pass(self, number: int) -> Iterator[Row]:
        """Yield the rows of one pass, which are numbered from 0, shuffled within the buffer."""
        if self.mix.strategy == "concatenate":
            rows: Iterator[Row] = chain.from_iterable(self.sources)
        else:
            rows = interleaved(self.sources, self.mix.strategy, self.seed + number)
        return shuffled(rows, self.mix.shuffle_buffer, self.seed + number)

    def __str__(self) -> str:
        return f"rows of {len(self.sources)} dataset(s), streamed"


class StreamedBlocks(IterableDataset[Row]):
    """Blocks of the tokens of a stream of rows end to end, all of one size."""

    def __init__(self, rows: Iterable[Row], capacity: int) -> None:
        """Cut rows into blocks of so many tokens."""
        self.rows, self.capacity = rows, capacity

    def __iter__(self) -> Iterator[Row]:
        held: Row = {"input_ids": [], "labels": []}
        for row in self.rows:
            for name in held:
                held[name] += row[name]
            while len(held["input_ids"]) >= self.capacity:
                yield {name: values[: self.capacity] for name, values in held.items()}
                held = {name: values[self.capacity :] for name, values in held.items()}

    def __str__(self) -> str:
        return f"{self.rows}, in blocks of {self.capacity} tokens"


def shuffled(rows: Iterable[Any], size: int, seed: int) -> Iterator[Any]:
    """Yield rows in a random order, so many of them in memory.

    Each that comes takes the place of a random one in the buffer, which is yielded.
    """
    chance = random.Random(seed)  # noqa: S311 - an order that can be had again
    held: list[Any] = []
    for row in rows:
        if len(held) < size:
            held.append(row)
            continue
        place = chance.randrange(size)
        yield held[place]
        held[place] = row
    chance.shuffle(held)
    yield from held
