"""How full packs are, and how long packing takes, beside two simpler ways in the same run.

    python benchmarks/packing.py [--largest N]

`in order` opens a new pack for each row that the last one has no room for; `first fit` puts each
row, as it comes, into the first pack that has the room. Prints the share of places that a token
takes, and seconds of one core; and how full packs are where so many rows are packed at once, as
those of a stream are. Leaves with 1 where 20,000 long-tailed rows fill less than 99.6 %
of packs of 2,048 tokens, or a million rows take 5 seconds.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from luthier.core.data.packing import chopped, packed

Lengths = NDArray[np.int64]
Draw = Callable[[np.random.Generator, int, int], NDArray[np.float64]]

FULL, SECONDS = 0.996, 5.0
WINDOWS = (500, 2000, 10_000, 20_000)
SIZES = ((20_000, 2048), (20_000, 8192), (1_000_000, 2048), (1_000_000, 32_768))
DISTRIBUTIONS: dict[str, Draw] = {
    "long-tailed": lambda random, rows, _: random.lognormal(np.log(200) - 0.5, 1.0, rows),
    "uniform": lambda random, rows, capacity: random.uniform(1, capacity, rows),
    "near a third": lambda random, rows, capacity: random.normal(capacity / 3, capacity / 20, rows),
    "two kinds": lambda random, rows, capacity: random.normal(
        random.choice([120, capacity], rows, p=[0.8, 0.2]), 40
    ),
}
"""`long-tailed` has a mean of 200 tokens, and `near a third` is what packs badly."""


def main() -> int:
    """Return 0 where packing is as full and as fast as it is said to be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=1_000_000, help="rows of the largest set")
    largest = parser.parse_args().largest
    ways = {"in order": in_order, "first fit": first_fit, "packed": best_fit}
    print(f"{'':<31}" + "".join(f"{way:>19}" for way in [*ways, "chopped"]))
    failed = False
    for rows, capacity in SIZES:
        for name in DISTRIBUTIONS:
            if rows > largest:
                continue
            lengths = lengths_of(name, rows, capacity)
            figures = [timed(way, lengths, capacity) for way in [*ways.values(), blocks]]
            cells = "".join(f"{share:>9.3%} {seconds:>6.2f} s " for share, seconds in figures)
            print(f"{rows:>9,} {capacity:>7,} {name:<13}{cells}")
            share, seconds = figures[2]
            long_tailed = name == "long-tailed" and (rows, capacity) == SIZES[0]
            failed |= seconds >= SECONDS or (long_tailed and share < FULL)
    print(f"\n{'rows packed at once':<31}" + "".join(f"{window:>9,}" for window in WINDOWS))
    for name, capacity in itertools.product(DISTRIBUTIONS, (2048, 8192)):
        lengths = lengths_of(name, 20_000, capacity)
        cells = "".join(f"{windowed(lengths, capacity, window):>9.2%}" for window in WINDOWS)
        print(f"{20_000:>9,} {capacity:>7,} {name:<13}{cells}")
    return int(failed)


def lengths_of(name: str, rows: int, capacity: int) -> Lengths:
    """Return lengths of a distribution, the same each time."""
    drawn = DISTRIBUTIONS[name](np.random.default_rng(0), rows, capacity).round()
    return np.clip(drawn, 1, capacity).astype(np.int64)


def windowed(lengths: Lengths, capacity: int, window: int) -> float:
    """Return the share of places that are taken where so many rows are packed at once."""
    starts = range(0, len(lengths), window)
    packs = sum(len(packed(lengths[start : start + window], capacity)) for start in starts)
    return float(lengths.sum() / (packs * capacity))


def timed(
    way: Callable[[Lengths, int], int], lengths: Lengths, capacity: int
) -> tuple[float, float]:
    """Return the share of places that are taken, and the seconds of a core."""
    began = time.process_time()
    packs = way(lengths, capacity)
    return float(lengths.sum() / (packs * capacity)), time.process_time() - began


def best_fit(lengths: Lengths, capacity: int) -> int:
    """Return how many packs ours are."""
    return len(packed(lengths, capacity))


def blocks(lengths: Lengths, capacity: int) -> int:
    """Return how many blocks running text is cut into."""
    return len(chopped(lengths, capacity))


def in_order(lengths: Lengths, capacity: int) -> int:
    """Return how many packs are opened where only the last one is looked at."""
    packs, room = 0, 0
    for length in lengths.tolist():
        if length > room:
            packs, room = packs + 1, capacity
        room -= length
    return packs


def first_fit(lengths: Lengths, capacity: int) -> int:
    """Return how many packs are opened where each row goes into the first with the room.

    `most` is a tree: a node has the most room below it, and a leaf is the room of a pack.
    """
    leaves = 1 << max(1, (len(lengths) - 1).bit_length())
    most = [capacity] * (2 * leaves)
    opened = 0
    for length in lengths.tolist():
        node = 1
        while node < leaves:
            node *= 2
            if most[node] < length:
                node += 1
        opened = max(opened, node - leaves + 1)
        most[node] -= length
        while node > 1:
            node //= 2
            most[node] = max(most[2 * node], most[2 * node + 1])
    return opened


if __name__ == "__main__":
    sys.exit(main())
