"""Pre-training: learn every token of plain text (paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from luthier.core.data import StandardRow
    from luthier.core.data.encoding import EncodedRow, Encoder
    from luthier.core.hooks import Collator, Items
    from luthier.core.run.job import TrainingJob
    from luthier.core.sections import EncodingSection
    from luthier.core.training import Trainer


class PreTraining(Plugin):
    """Train on every token of texts."""

    packing: bool = True
    """Cut the texts end to end into blocks of `encoding.max_length` tokens; no token is lost."""

    traits: ClassVar = frozenset({"token-rows"})
    serves: ClassVar = "training"

    def traits_of_options(self) -> frozenset[str]:
        """Return that it cuts running text, where it does: rows of any length are taken."""
        return frozenset({"running-text"}) if self.packing else frozenset()

    @hookimpl
    def encode_dataset(
        self, dataset: Sequence[StandardRow], encoder: Encoder
    ) -> Sequence[EncodedRow] | None:
        """Return each text as ids, all of them trained."""
        return encoder.texts(dataset)

    @hookimpl
    def arrange_dataset(self, dataset: Dataset, encoding: EncodingSection) -> Items | None:
        """Return blocks of text, or the rows as they are."""
        from luthier.core.data.arrangement import blocks

        return blocks(dataset, encoding.max_length) if self.packing else None

    @hookimpl
    def build_collator(self, tokenizer: PreTrainedTokenizerBase) -> Collator | None:
        """Return what pads rows to a batch."""
        from luthier.core.training import PaddingCollator

        return PaddingCollator.of(tokenizer)

    @hookimpl
    def build_trainer(self, job: TrainingJob) -> Trainer | None:
        """Return the trainer with the mean loss over the tokens of each step."""
        from luthier.core.training import Trainer

        return Trainer(job)
