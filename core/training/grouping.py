"""An order of rows in which those of one step are about equally long: few places are pads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices

from luthier.core.data.columns import lengths_of
from luthier.core.errors import BadData


class GroupedByLength(Sampler[int]):
    """The numbers of rows in transformers' order by length, another one in each epoch.

    Rows are shuffled, and within stretches of up to fifty steps sorted.
    """

    def __init__(self, dataset: Any, rows: int, seed: int) -> None:
        """Order the rows of a dataset.

        Args:
            dataset: encoded rows.
            rows: how many one optimizer step takes.
            seed: of the order.

        Raises:
            BadData: what batches are made of has no lengths to go by.
        """
        if not hasattr(dataset, "column_names"):
            raise BadData(
                "`training.group_by_length` goes by the lengths of single rows, and what is "
                f"trained is {dataset}. Leave it out, or turn packing or streaming off."
            )
        self.lengths = lengths_of(dataset).tolist()
        self.rows, self.seed, self.epoch = rows, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Take the order of an epoch, which counts from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        # seeded anew: a run that goes on in the middle of an epoch has its order again
        random = torch.Generator().manual_seed(self.seed + self.epoch)
        yield from get_length_grouped_indices(  # type: ignore[no-untyped-call]
            self.lengths, self.rows, generator=random
        )
