"""How several datasets become one order of rows (section 3.2 of the paper: dataset merging).

`mixed` gives the order of datasets whose lengths are known, as numbers; `interleaved` alternates
between streams as they are read, and asks for the same dataset at the same step for the same seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from luthier.core.errors import BadData
from luthier.core.sections import DatasetSection

Numbers = NDArray[np.int64]
Stopping = Literal["under", "over", "once"]
"""When an alternation ends: `under` with the last row of the first dataset that is through; `over`
once all have been through, those that are through earlier beginning again; `once` when each row
has been read once, the datasets that are not yet through going on among themselves."""
Strategy = Literal["concatenate", "under", "over", "once"]
T = TypeVar("T")
S = TypeVar("S", bound=np.generic)

READ_AHEAD = 1024
"""Steps that an alternation of streams decides on at once."""


def mixed(
    lengths: Sequence[int],
    strategy: Strategy,
    seed: int,
    *,
    weights: Sequence[float] | None = None,
    repeats: Sequence[float] | None = None,
    shuffled: bool = True,
) -> Numbers:
    """Return one order of the rows of several datasets, the same for the same arguments.

    Args:
        lengths: rows of each dataset, at least 1.
        strategy: `concatenate` puts them one after the other, and shuffles all of them together;
            the others alternate between datasets, and end as `Stopping` says.
        seed: of the alternation and of all shuffling.
        weights: how likely each dataset is to give the next row, relative to the others; they
            take turns where it is not given. `concatenate` does not ask for it.
        repeats: how often each dataset is read before it is through: 1.5 is every row once, and
            then a random half of them again.
        shuffled: whether rows change their order; in an alternation they do within each dataset,
            in each pass anew. Without it a random part keeps its order, too.

    Returns:
        Pairs of dataset and row, of shape (N, 2), both counted from 0.

    Raises:
        BadData: a dataset has no rows, or none is left of it, or a weight is not over 0.
    """
    read = _passes(lengths, repeats)
    turns = _Turns(len(lengths), weights, seed)
    if strategy != "concatenate":
        return _numbered(lengths, read, _alternation(read, strategy, turns), seed, shuffled)
    order = _numbered(lengths, read, np.repeat(np.arange(len(lengths)), read), seed, shuffled)
    return np.random.default_rng(seed).permutation(order) if shuffled else order


def interleaved(
    sources: Sequence[Iterable[T]],
    stopping: Stopping,
    seed: int,
    *,
    weights: Sequence[float] | None = None,
    names: Sequence[object] | None = None,
) -> Iterator[T]:
    """Return the rows of several streams in turn, each stream's in its own order.

    They are what `mixed` with the same arguments and `shuffled=False` orders. Of each
    stream one row is in memory.

    Args:
        sources: the streams; for `over` such as can be read again.
        stopping: when to end.
        seed: of the alternation.
        weights: as of `mixed`.
        names: what messages call the streams; their numbers where it is not given.

    Raises:
        BadData: a source has no rows, or a weight is not over 0.
        TypeError: `over` cannot begin a source again, as it is an iterator.
    """
    if stopping == "over" and any(iter(source) is source for source in sources):
        raise TypeError("`over` reads sources again, so none may be an iterator")
    turns = _Turns(len(sources), weights, seed)
    return _alternated(sources, stopping, turns, names or _told(len(sources)))


def weights_of(sections: Sequence[DatasetSection]) -> list[float] | None:
    """Return how likely each dataset gives the next row; None where no run file says it of any."""
    weights = [one.weight for one in sections]
    return [one or 1.0 for one in weights] if any(weights) else None


class _Turns:
    """Which dataset gives a row at each step; what is next may be looked at before it is taken."""

    def __init__(self, count: int, weights: Sequence[float] | None, seed: int) -> None:
        if weights is not None:
            _require_weights(weights, count)
        self._active = np.arange(count)
        self._weights = None if weights is None else np.asarray(weights, dtype=np.float64)
        self._random = np.random.default_rng(seed)
        self._drawn = np.zeros(0)

    def next(self, steps: int) -> Numbers:
        """Return the datasets of the next steps, as things stand, and take none of them."""
        if self._weights is None:
            return np.resize(self._active, steps)
        lacking = steps - len(self._drawn)
        if lacking > 0:
            self._drawn = np.append(self._drawn, self._random.random(lacking))
        bounds = np.cumsum(self._weights[self._active])
        bounds /= bounds[-1]
        return self._active[np.searchsorted(bounds, self._drawn[:steps], side="right")]

    def took(self, steps: int) -> None:
        """Go on by so many steps of what `next` returned."""
        if self._weights is None:
            self._active = np.roll(self._active, -(steps % len(self._active)))
        else:
            self._drawn = self._drawn[steps:]

    def leave(self, dataset: int) -> None:
        """Ask a dataset no more; the others keep their order, and their weights."""
        self._active = self._active[self._active != dataset]


def _alternated(
    sources: Sequence[Iterable[T]], stopping: Stopping, turns: _Turns, names: Sequence[object]
) -> Iterator[T]:
    streams = [iter(source) for source in sources]
    ahead = [_first_of(stream, name) for stream, name in zip(streams, names, strict=True)]
    waiting = set(range(len(sources)))
    while waiting:
        for step, d in enumerate(turns.next(READ_AHEAD).tolist()):
            yield ahead[d]
            try:
                ahead[d] = next(streams[d])
            except StopIteration:
                waiting.discard(d)
                if stopping == "under" or not waiting:
                    return
                if stopping == "once":
                    turns.took(step + 1)
                    turns.leave(d)
                    break
                streams[d] = iter(sources[d])
                ahead[d] = _first_of(streams[d], names[d])
        else:
            turns.took(READ_AHEAD)


def _alternation(lengths: Numbers, stopping: Stopping, turns: _Turns) -> Numbers:
    """Return the dataset of each step, for datasets that are through after so many rows."""
    left = {d: int(length) for d, length in enumerate(lengths)}
    steps: list[Numbers] = []
    while left:
        # as many as could be the last but the end of a dataset comes before
        ahead = turns.next(max(READ_AHEAD, sum(left.values())))
        ends = {
            d: int(places[n - 1])
            for d, n in left.items()
            if len(places := np.flatnonzero(ahead == d)) >= n
        }
        through = min(ends, key=ends.__getitem__, default=None)
        taken = ahead if through is None else ahead[: ends[through] + 1]
        steps.append(taken)
        turns.took(len(taken))
        counts = np.bincount(taken, minlength=len(lengths))
        left = {d: n - int(counts[d]) for d, n in left.items() if d != through}
        if through is not None and stopping == "under":
            break
        if through is not None and stopping == "once" and left:
            turns.leave(through)
    return np.concatenate(steps) if steps else np.zeros(0, np.int64)


def _numbered(
    lengths: Sequence[int],
    read: Numbers,
    of: Numbers,
    seed: int,
    shuffled: bool,  # noqa: FBT001 - as `mixed` was asked
) -> Numbers:
    """Return pairs of dataset and row, where the dataset of each step is known."""
    order = np.stack([of, np.zeros_like(of)], axis=1)
    for d, (length, through) in enumerate(zip(lengths, read.tolist(), strict=True)):
        own = of == d
        # a generator of its own: another dataset's length changes nothing of this one's rows
        random = np.random.default_rng([seed, d])
        rows = _passed(length, through, int(own.sum()), random, shuffled=shuffled)
        order[own, 1] = rows
    return order


def _passed(
    length: int, through: int, count: int, random: np.random.Generator, *, shuffled: bool
) -> Numbers:
    """Return the first `count` rows of pass after pass over a dataset.

    It is through after so many rows: whole passes, and of one more a random part. Where more are
    asked for, whole passes follow.
    """
    whole, rest = divmod(through, length)
    more = max(0, -(-(count - through) // length))
    passes = np.tile(np.arange(length), (whole + 1 + more, 1))
    if shuffled:
        passes = random.permuted(passes, axis=1)
    part = passes[whole][:rest] if shuffled else np.sort(random.permutation(length)[:rest])
    return np.concatenate([passes[:whole].ravel(), part, passes[whole + 1 :].ravel()])[:count]


def _passes(lengths: Sequence[int], repeats: Sequence[float] | None) -> Numbers:
    """Return how many rows are read of each dataset before it is through."""
    if repeats is not None and len(repeats) != len(lengths):
        raise ValueError(f"{len(repeats)} repeats for {len(lengths)} datasets")
    factors = [1.0] * len(lengths) if repeats is None else repeats
    for name, length, repeat in zip(_told(len(lengths)), lengths, factors, strict=True):
        if length < 1:
            raise _without_rows(name)
        if not math.isfinite(repeat) or _rounded(length * repeat) < 1:
            raise BadData(
                f"{name}: a repeat of {repeat:g} leaves none of its {length} rows. "
                "Raise its `repeat`, or leave the dataset out."
            )
    counts = [_rounded(n * repeat) for n, repeat in zip(lengths, factors, strict=True)]
    return np.array(counts, dtype=np.int64)


def _rounded(value: float) -> int:
    return math.floor(value + 0.5)


def _require_weights(weights: Sequence[float], count: int) -> None:
    if len(weights) != count:
        raise ValueError(f"{len(weights)} weights for {count} datasets")
    for d, weight in enumerate(weights):
        if not (math.isfinite(weight) and weight > 0):
            raise BadData(
                f"dataset {d + 1} has the weight {weight:g}, so its rows would never come. "
                "Give it a `weight` over 0, or leave the dataset out."
            )


def _first_of(stream: Iterator[T], name: object) -> T:
    for row in stream:
        return row
    raise _without_rows(name)


def _told(count: int) -> list[str]:
    """Return what messages call datasets that have no names."""
    return [f"dataset {d + 1}" for d in range(count)]


def _without_rows(name: object) -> BadData:
    return BadData(f"{name} has no rows, or none of them is left to train on. Leave it out.")
