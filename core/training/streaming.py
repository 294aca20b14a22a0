"""Rows that are read, encoded and arranged while the model trains; none is kept.

The order is one of the sources' rows, not yet encoded: mixed, shuffled in a buffer, pass after
pass. Of it a process takes its share, a window of rows at a time; a window is encoded, and arranged
as packs or blocks by itself. So the place in the stream is a window's beginning and what was taken
of it: a run that goes on draws the order up to there once more, encodes nothing before it, and does
not even read what is known to be there.
"""

from __future__ import annotations

import copy
import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, islice
from typing import Any

from torch.utils.data import IterableDataset

from luthier.core.data.arrangement import Arrangement, EncodedTokens, Unarranged
from luthier.core.data.drawing import Drawn, Shuffled, Source
from luthier.core.data.mixing import interleaved, weights_of
from luthier.core.data.shards import Counts, Shard
from luthier.core.data.worker import DataWorker
from luthier.core.errors import BadData
from luthier.core.sections import MixSection


@dataclass(frozen=True)
class Place:
    """Where a window begins."""

    number: int = 0
    """The pass that it is of, from 0."""
    drawn: int = 0
    """Rows of that pass before it, those of all processes."""
    there: list[int] = field(default_factory=list)
    """Of each dataset how many rows are known to be there: they need not be read to be counted."""
    held: EncodedTokens = field(default_factory=dict)
    """The tokens that the window before it left."""
    counts: Counts = field(default_factory=Counts)
    """What became of the rows of this process before it."""


class Stream(IterableDataset[Any]):
    """What batches are made of, of one or several datasets, pass after pass without an end."""

    def __init__(
        self,
        workers: Sequence[DataWorker],
        mix: MixSection,
        seed: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        """Read datasets as a run file says.

        Args:
            workers: what encodes each.
            mix: how they come together.
            seed: of all that is random.
            share: the number of this process, and how many there are.
        """
        self.workers, self.mix, self.seed, self.share = workers, mix, seed, share
        self.arrangement: Arrangement = Unarranged()
        self._place, self._taken = Place(), 0
        self._held = self._place.held
        # of the window that is being taken from
        self._counts, self._turned_down = Counts(), list[dict[str, Any]]()
        self._rejected: list[dict[str, Any]] = []

    def arranged(self, arrangement: Arrangement) -> Stream:
        """Return the same rows, arranged in another way."""
        found = copy.copy(self)
        found.arrangement = arrangement
        return found

    def __iter__(self) -> Iterator[Any]:
        """Yield items, from the place on that was restored.

        Raises:
            BadData: a row is bad and that is an error, or no row is left of a whole pass.
        """
        before = self._taken
        while True:
            for items in self._windows():
                for number in range(before, len(items)):
                    self._taken = number + 1
                    yield items[number]
                before = 0
            if not self._place.counts.rows:
                raise BadData(
                    "no row is left of those that are streamed: all are bad or too long. "
                    "Look at the data, or raise `encoding.max_length`."
                    if self._place.counts.read else
                    "no row is left to be streamed: all are held out for validation. "
                    "Lower `validation`, or name a dataset of its own there."
                )  # fmt: skip

    def state(self) -> dict[str, Any]:
        """Return the place in the stream, behind all that was taken; it holds no rows."""
        return {"place": asdict(self._place), "taken": self._taken}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a place that `state` gave."""
        place = state["place"]
        self._place = Place(**{**place, "counts": Counts(**place["counts"])})
        self._taken, self._held = state["taken"], self._place.held

    def counts(self) -> Counts:
        """Return what became of all rows that this process has encoded."""
        total = Counts()
        total += self._place.counts
        total += self._counts
        return total

    def rejected(self, *, ended: bool = False) -> list[dict[str, Any]]:
        """Return the rows that were left out since this was asked: dataset, number, problem.

        Those of the window that is being taken from are among them only where the run has
        `ended`: one that goes on from here encodes them again.
        """
        found = self._rejected + (self._turned_down if ended else [])
        self._rejected = []
        return found

    def _windows(self) -> Iterator[Sequence[Any]]:
        """Yield the items of the windows of one pass, from the place on."""
        (rank, world), place = self.share, self._place
        sources = [
            Source(
                n, one.aligned.rows, int(one.spec.section.repeat),
                place.there[n] if place.there else 0, again=place.number > 0,
            )
            for n, one in enumerate(self.workers)
        ]  # fmt: skip
        shuffled = Shuffled(self._mixed(sources), self.mix.shuffle_buffer, self.seed + place.number)
        order = iter(shuffled)
        deque(islice(order, place.drawn), maxlen=0)
        for source in sources:
            source.fill(shuffled.held)
        window: list[Drawn] = []
        for drawn, one in enumerate(order, place.drawn + 1):
            if (drawn - 1) % world == rank:
                window.append(one)
            if len(window) == self.arrangement.window:
                yield self._begun(window)
                self._done(drawn=drawn, there=[source.there for source in sources])
                window = []
        if window:
            yield self._begun(window)
        self._done(number=place.number + 1, drawn=0, there=[])

    def _mixed(self, sources: Sequence[Source]) -> Iterable[Drawn]:
        if self.mix.strategy == "concatenate":
            return chain.from_iterable(sources)
        weights = weights_of([one.spec.section for one in self.workers])
        seed = self.seed + self._place.number
        names = [one.spec for one in self.workers]
        return interleaved(sources, self.mix.strategy, seed, weights=weights, names=names)

    def _begun(self, window: Sequence[Drawn]) -> Sequence[Any]:
        """Return the items of a window."""
        made: list[list[EncodedTokens]] = [[] for _ in window]
        self._counts, self._turned_down = Counts(), []
        for number, worker in enumerate(self.workers):
            places = [n for n, one in enumerate(window) if one.dataset == number]
            numbers, rows = [window[n].number for n in places], [window[n].row for n in places]
            shard = Shard(self._counts)
            for n, found in zip(places, worker.streamed(numbers, rows, shard), strict=True):
                made[n] = found
                if not window[n].again:
                    self._turned_down += [worker.aligned.told(**one) for one in shard.rejected]
                shard.rejected.clear()
        place = self._place
        chance = random.Random(f"{self.seed}/{place.number}/{place.drawn}")  # noqa: S311
        encoded = list(chain.from_iterable(made))
        items, self._held = self.arrangement(encoded, place.held, chance)
        return items

    def _done(self, **place: Any) -> None:
        """Go on to the next window, at this place."""
        self._place = replace(self._place, counts=self.counts(), held=self._held, **place)
        self._rejected += self._turned_down
        self._taken, self._counts, self._turned_down = 0, Counts(), []

    def __str__(self) -> str:
        return f"rows of {len(self.workers)} dataset(s), streamed {self.arrangement}"
