"""Where the rows that a model is trained on come from: which row of which dataset each was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luthier.core.data.standard import Aligned

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Origins:
    """Of each encoded row the dataset and the row that it was made of."""

    rows: Dataset
    """The encoded rows, which have the numbers of their rows as `row`."""
    owners: NDArray[Any]
    """The number of each one's dataset, of shape (N,)."""
    datasets: Mapping[int, Aligned]

    def of(self, number: int) -> dict[str, Any]:
        """Return dataset, file among several, and row, which counts from 1, of an encoded row."""
        aligned = self.datasets[int(self.owners[number])]
        told = aligned.told(int(self.rows[number]["row"]) + 1, "")
        del told["problem"]
        return told

    def selected(self, rows: Dataset, numbers: NDArray[Any]) -> Origins:
        """Return those of some of the rows, by their numbers here."""
        return Origins(rows, self.owners[numbers], self.datasets)
