"""Batches that know which items they are made of, so that a bad one can be named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch.utils.data import Dataset

NUMBERS = "numbers of items"
"""Under this a batch has them; `get_batch_samples` takes them out again."""


class Numbered(Dataset[Any]):
    """Items, each with its number before it."""

    def __init__(self, items: Any) -> None:
        """Number items."""
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> tuple[int, Any]:
        """Return an item."""
        return number, self.items[number]

    def __getitems__(self, numbers: Sequence[int]) -> list[tuple[int, Any]]:
        """Return many at once, as what holds them reads them fastest."""
        together = getattr(self.items, "__getitems__", None)
        found = together(numbers) if together else [self.items[number] for number in numbers]
        return list(zip(numbers, found, strict=True))


class NumberedCollator:
    """Makes a batch as another collator does, and adds the numbers of its items."""

    def __init__(self, collator: Callable[[Any], Any]) -> None:
        """Make batches as `collator` does."""
        self.collator = collator

    def __call__(self, items: Sequence[tuple[int, Any]]) -> Any:
        """Return the batch of numbered items."""
        batch = self.collator([item for _, item in items])
        batch[NUMBERS] = [int(number) for number, _ in items]
        return batch
