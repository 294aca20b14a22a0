"""Supervised fine-tuning: learn the answers of conversations (paper, section 3.3).

The loss counts the answers only, by default every one of a conversation (Ouyang et al., 2022,
https://arxiv.org/abs/2203.02155).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.data import StandardRow
    from luthier.core.data.encoding import EncodedRow, Encoder
    from luthier.core.hooks import Collator
    from luthier.core.run.job import TrainingJob
    from luthier.core.training import Trainer


class SupervisedFineTuning(Plugin):
    """Train on the answers of conversations."""

    serves: ClassVar = "training"

    @hookimpl
    def encode_dataset(
        self, dataset: Sequence[StandardRow], encoder: Encoder
    ) -> Sequence[EncodedRow] | None:
        """Return each conversation as ids, its answers trained."""
        return encoder.conversations(dataset)

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
