"""Weighted supervised fine-tuning: the right token has the most weight, all others share the rest.

Source: label smoothing (Szegedy et al., 2016, section 7, https://arxiv.org/abs/1512.00567).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.data import StandardRow
    from luthier.core.data.encoding import EncodedRow, Encoder
    from luthier.core.hooks import Collator
    from luthier.core.run.job import TrainingJob
    from luthier.core.training import Trainer


class WeightedSft(Plugin):
    """Train on the answers of conversations, with a weight for the tokens that are wrong."""

    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """The weight that all tokens of the vocabulary share; the right one has the rest besides."""

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
        """Return the trainer with the smoothed mean loss over the tokens of each step."""
        from functools import partial

        from luthier.core.training import Trainer
        from luthier_examples.smoothed_loss import smoothed_loss

        loss = partial(smoothed_loss, smoothing=self.smoothing)
        return Trainer(job, compute_loss_func=loss)
