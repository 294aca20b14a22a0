"""From encoded rows to a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from luthier.core.data.columns import unfolded
from luthier.core.model.padding import pad_id_of
from luthier.core.templates import IGNORED

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class PaddingCollator:
    """Pads rows on the right to the longest of a batch; pads are masked by position, not by id.

    A row of several sequences is several rows; `luthier.core.data.columns.unfolded` orders them.
    """

    def __init__(self, pad_id: int) -> None:
        """Pad with `pad_id`; which id it is makes no difference, as no pad is looked at."""
        self.pad_id = pad_id

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> PaddingCollator:
        """Return the collator that pads with a tokenizer's own pad token, or with id 0."""
        return cls(pad_id_of(tokenizer))

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return `input_ids`, `attention_mask` and `labels`, each of shape (B, T)."""
        rows = unfolded(rows)
        longest = max(len(row["input_ids"]) for row in rows)
        ids_BT = torch.full((len(rows), longest), self.pad_id, dtype=torch.long)
        mask_BT = torch.zeros((len(rows), longest), dtype=torch.long)
        labels_BT = torch.full((len(rows), longest), IGNORED, dtype=torch.long)
        for n, row in enumerate(rows):
            size = len(row["input_ids"])
            ids_BT[n, :size] = torch.tensor(row["input_ids"])
            mask_BT[n, :size] = 1
            labels_BT[n, :size] = torch.tensor(row["labels"])
        labels_BT[:, 0] = IGNORED  # nothing stands before the first token to predict it from
        return {"input_ids": ids_BT, "attention_mask": mask_BT, "labels": labels_BT}
