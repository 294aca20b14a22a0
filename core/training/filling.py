"""Validation rows in as many batches for each process, none of them counted twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.utils.data import Dataset

from luthier.core.templates import IGNORED


class Filled(Dataset[Any]):
    """Rows, and behind them as many that the loss does not count as fill the last batches.

    Processes go through the same number of batches, since they meet in each. Left to itself
    accelerate begins again with the first rows, which would then weigh twice in the mean.
    """

    def __init__(self, items: Any, multiple: int) -> None:
        """Fill items up to a multiple of so many, the rows of one batch of all processes."""
        self.items = items
        self._length = -(-len(items) // multiple) * multiple

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, number: int) -> Any:
        """Return an item; of those that only fill, the first one with nothing to be counted."""
        return self.items[number] if number < len(self.items) else _uncounted(self.items[0])


def _uncounted(item: Any) -> Any:
    """Return a row, or a pack of rows, with no token counted."""
    if not isinstance(item, Mapping):
        return [_uncounted(row) for row in item]
    return {
        name: [IGNORED] * len(values) if name.endswith("labels") and values is not None else values
        for name, values in item.items()
    }
