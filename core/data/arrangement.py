"""What batches are made of, where that is not one row: packs of rows, blocks of running text.

Of rows that are prepared all lengths are known, and all are arranged at once. Rows that are
streamed are arranged a window at a time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from luthier.core.data.columns import lengths_of, tokens_in, unfolded
from luthier.core.data.packing import chopped, filled_share, packed
from luthier.core.data.worker import BATCH
from luthier.core.problems import counted

if TYPE_CHECKING:
    from datasets import Dataset

COLUMNS = ("input_ids", "labels")

EncodedTokens = dict[str, list[int]]
"""`input_ids` and `labels`, of one row or of several end to end."""

PACKED_AT_ONCE = 2000
"""Rows of a window that is packed by itself; docs/benchmarks.md has what more would fill."""


class PackedRows:
    """Packs of whole rows, each an item: a list of their sequences, by `unfolded`."""

    def __init__(self, dataset: Dataset, capacity: int) -> None:
        """Pack the rows of a dataset into sequences of so many tokens at most."""
        lengths = lengths_of(dataset)
        self._rows = dataset.select_columns(
            [n for n in dataset.column_names if n.endswith(COLUMNS)]
        )
        self._packs = packed(lengths, capacity)
        self._share = filled_share(self._packs, lengths, capacity)

    def __len__(self) -> int:
        return len(self._packs)

    def __getitem__(self, number: int) -> list[dict[str, Any]]:
        rows = self._rows[self._packs[number].tolist()]
        return unfolded(
            [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]
        )

    def rows_of(self, number: int) -> list[int]:
        """Return the numbers of the rows that a pack holds."""
        found: list[int] = self._packs[number].tolist()
        return found

    def __str__(self) -> str:
        return (
            f"{counted(len(self._rows), 'row', 'rows')} in {counted(len(self), 'pack', 'packs')}, "
            f"{self._share:.1%} full"
        )


class Blocks:
    """Blocks of the rows' tokens end to end, all of one size but the last."""

    def __init__(self, dataset: Dataset, capacity: int) -> None:
        """Cut all tokens of a dataset into blocks of so many."""
        self._rows = dataset.select_columns(list(COLUMNS))
        self._blocks = chopped(lengths_of(dataset), capacity)

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, number: int) -> dict[str, list[int]]:
        block: dict[str, list[int]] = {name: [] for name in COLUMNS}
        for row, start, stop in self._blocks[number]:
            whole = self._rows[row]
            for name in COLUMNS:
                block[name] += whole[name][start:stop]
        return block

    def rows_of(self, number: int) -> list[int]:
        """Return the numbers of the rows that a block has something of."""
        return [row for row, _, _ in self._blocks[number]]

    def __str__(self) -> str:
        return (
            f"{counted(len(self._rows), 'row', 'rows')} in "
            f"{counted(len(self), 'block', 'blocks')} of running text"
        )


def packs(dataset: Any, capacity: int) -> Any:
    """Return packs of the rows of a dataset, or of a stream a window at a time."""
    if hasattr(dataset, "arranged"):
        return dataset.arranged(Packing(capacity))
    return PackedRows(dataset, capacity)


def blocks(dataset: Any, capacity: int) -> Any:
    """Return blocks of running text of a dataset, or of a stream as it comes."""
    if hasattr(dataset, "arranged"):
        return dataset.arranged(Chopping(capacity))
    return Blocks(dataset, capacity)


# --- of a stream ------------------------------------------------------------------------------


class Arrangement(Protocol):
    """What makes items of the rows of a window; an item is what batches are made of."""

    window: int
    """Rows of the source in a window."""

    def __call__(
        self, rows: list[EncodedTokens], held: EncodedTokens, chance: random.Random
    ) -> tuple[Sequence[Any], EncodedTokens]:
        """Return the items, and the tokens that are held for the next window.

        Args:
            rows: the encoded rows of the window.
            held: the tokens that the window before left; none at first.
            chance: what is random in it comes from here.
        """


class Unarranged:
    """Each row is an item."""

    window = BATCH

    def __call__(
        self, rows: list[EncodedTokens], held: EncodedTokens, chance: random.Random
    ) -> tuple[Sequence[Any], EncodedTokens]:
        """Return the rows as they are."""
        del chance
        return rows, held

    def __str__(self) -> str:
        return "one by one"


@dataclass(frozen=True)
class Packing:
    """Packs of whole rows, as `PackedRows` has them. The last window of a pass is shorter."""

    capacity: int
    window = PACKED_AT_ONCE

    def __call__(
        self, rows: list[EncodedTokens], held: EncodedTokens, chance: random.Random
    ) -> tuple[Sequence[Any], EncodedTokens]:
        """Return the rows in packs, by best-fit decreasing, in a random order."""
        found = packed([tokens_in(row) for row in rows], self.capacity)
        items = [unfolded([rows[n] for n in found[k].tolist()]) for k in range(len(found))]
        chance.shuffle(items)  # those of the longest rows would come first
        return items, held

    def __str__(self) -> str:
        return f"{self.window:,} at a time in packs of {self.capacity} tokens"


@dataclass(frozen=True)
class Chopping:
    """Blocks of the rows' tokens end to end, all of one size."""

    capacity: int
    window = BATCH

    def __call__(
        self, rows: list[EncodedTokens], held: EncodedTokens, chance: random.Random
    ) -> tuple[Sequence[Any], EncodedTokens]:
        """Return the blocks that are full; the tokens of the last one are held."""
        del chance
        joined = {
            name: [*held.get(name, []), *chain.from_iterable(row[name] for row in rows)]
            for name in COLUMNS
        }
        full = len(joined["input_ids"]) // self.capacity * self.capacity
        blocks = [
            {name: tokens[start : start + self.capacity] for name, tokens in joined.items()}
            for start in range(0, full, self.capacity)
        ]
        return blocks, {name: tokens[full:] for name, tokens in joined.items()}

    def __str__(self) -> str:
        return f"in blocks of {self.capacity} tokens"
