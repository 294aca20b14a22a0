"""What a reference makes of rows, asked once and kept with them; a sibling: it needs torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import Dataset

TOLD = "reference"
"""What a row, or a batch, has it by."""


class ToldRows(Dataset[Any]):
    """Rows, each with the numbers that were told of it."""

    def __init__(self, rows: Any, told_NK: torch.Tensor) -> None:
        """Put K numbers to each of N rows."""
        self.rows, self._told = rows, told_NK

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        return {**self.rows[number], TOLD: self._told[number]}


class ToldCollator:
    """Makes the batch that another collator does, and puts to it what was told of its rows."""

    def __init__(self, collate: Callable[[list[Any]], dict[str, Any]]) -> None:
        """Take the other one."""
        self._collate = collate

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the batch; what was told is of shape (rows, K)."""
        return {**self._collate(rows), TOLD: torch.stack([row[TOLD] for row in rows])}
