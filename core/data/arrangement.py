"""What batches are made of, where that is not one row: packs of rows, blocks of running text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.data.columns import lengths_of
from luthier.core.data.packing import chopped, filled_share, packed
from luthier.core.errors import BadData

if TYPE_CHECKING:
    from datasets import Dataset

COLUMNS = ("input_ids", "labels")


class PackedRows:
    """Packs of whole rows, each an item: a list of rows."""

    def __init__(self, dataset: Dataset, capacity: int) -> None:
        """Pack the rows of a dataset into sequences of so many tokens at most."""
        lengths = lengths_of(dataset)
        self._rows = dataset.select_columns(list(COLUMNS))
        self._packs = packed(lengths, capacity)
        self._share = filled_share(self._packs, lengths, capacity)

    def __len__(self) -> int:
        return len(self._packs)

    def __getitem__(self, number: int) -> list[dict[str, Any]]:
        rows = self._rows[self._packs[number].tolist()]
        return [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]

    def __str__(self) -> str:
        return f"{len(self._rows):,} rows in {len(self):,} packs, {self._share:.1%} full"


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

    def __str__(self) -> str:
        return f"{len(self._rows):,} rows in {len(self):,} blocks of running text"


def packs(dataset: Any, capacity: int) -> PackedRows:
    """Return packs of the rows of a dataset.

    Raises:
        BadData: the rows are streamed, so not all are known.
    """
    if not hasattr(dataset, "__len__"):
        raise BadData(
            "packing looks at all rows, and with `mix.streaming` they are not known. "
            "Turn one of them off: `stage.packing=false` or `mix.streaming=false`."
        )
    return PackedRows(dataset, capacity)


def blocks(dataset: Any, capacity: int) -> Any:
    """Return blocks of running text of a dataset, or of a stream as it comes."""
    if not hasattr(dataset, "__len__"):
        from luthier.core.training.streaming import StreamedBlocks

        return StreamedBlocks(dataset, capacity)
    return Blocks(dataset, capacity)
