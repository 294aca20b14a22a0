"""The order in which rows are streamed: drawn from sources, and shuffled in a buffer."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Any, NamedTuple

from luthier.core.data.rows import GivenRow, Row, Rows

UNREAD: Row = MappingProxyType({})
"""Stands for a row that the order only passes over, so that it is not read."""


class Drawn(NamedTuple):
    """A row of a source, drawn by the order."""

    dataset: int
    number: int
    """Its number in the source, from 0."""
    row: GivenRow
    again: bool
    """Whether the run has read it before."""


class Source:
    """The rows of one dataset in one pass, those that are known to be there passed over unread."""

    def __init__(self, dataset: int, rows: Rows, repeat: int, there: int, *, again: bool) -> None:
        """Read rows so many times over.

        Args:
            dataset: its number, for those who draw.
            rows: the rows.
            repeat: how often they are read in the pass.
            there: how many of them the order draws only to come to its place.
            again: whether another pass came before.
        """
        self.dataset, self.rows, self.repeat = dataset, rows, repeat
        # the last one may have been drawn and not be mixed yet, so it is read
        self._passed = max(0, there - 1)
        self.there, self._again, self._begun = there, again, 0

    def __iter__(self) -> Iterator[Drawn]:
        for _ in range(self.repeat):
            self._begun += 1
            first = self._begun == 1
            again = self._again or not first
            passed = self._passed if first else 0
            for number in range(passed):
                yield Drawn(self.dataset, number, UNREAD, again)
            for number, row in enumerate(self.rows.read(passed), passed):
                self.there = max(self.there, number + 1)
                yield Drawn(self.dataset, number, row, again)

    def fill(self, drawn: list[Drawn]) -> None:
        """Read those of its rows that were drawn unread, in one go from the first to the last."""
        unread = {
            one.number: place
            for place, one in enumerate(drawn)
            if one.dataset == self.dataset and one.row is UNREAD
        }
        first = min(unread, default=0)
        for number, row in enumerate(self.rows.read(first), first) if unread else ():
            if number in unread:
                place = unread.pop(number)
                drawn[place] = drawn[place]._replace(row=row)
                if not unread:
                    break


class Shuffled:
    """Rows in a random order, so many of them in memory.

    Each that comes takes the place of a random one in the buffer, which is yielded.
    """

    def __init__(self, rows: Iterable[Any], size: int, seed: int) -> None:
        """Shuffle rows in a buffer of so many."""
        self.rows, self.size, self.seed = rows, size, seed
        self.held: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        chance = random.Random(self.seed)  # noqa: S311 - an order that can be had again
        for row in self.rows:
            if len(self.held) < self.size:
                self.held.append(row)
                continue
            place = chance.randrange(self.size)
            taken, self.held[place] = self.held[place], row
            yield taken
        chance.shuffle(self.held)
        yield from self.held
