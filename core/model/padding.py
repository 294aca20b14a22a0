"""The token that fills up the shorter rows of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def pad_id_of(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id of a tokenizer's own pad token, or 0: no pad is looked at."""
    pad = tokenizer.pad_token_id
    return int(pad) if pad is not None else 0
