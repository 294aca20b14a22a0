"""What stages share that learn from pairs of answers, one of which is preferred."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.data import StandardRow
    from luthier.core.data.encoding import EncodedRow, Encoder
    from luthier.core.hooks import Collator


class PairStage(Plugin):
    """Base of a stage that learns from pairs."""

    traits: ClassVar = frozenset({"preferences", "token-rows"})
    serves: ClassVar = "training"

    @hookimpl
    def encode_dataset(
        self, dataset: Sequence[StandardRow], encoder: Encoder
    ) -> Sequence[EncodedRow] | None:
        """Return each preference as ids: the chosen and the rejected answer, after one prompt."""
        return encoder.preferences(dataset)

    @hookimpl
    def build_collator(self, tokenizer: PreTrainedTokenizerBase) -> Collator | None:
        """Return what pads pairs to a batch, the n chosen answers first."""
        from luthier.core.training import PaddingCollator

        return PaddingCollator.of(tokenizer)
