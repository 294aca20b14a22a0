"""Kahneman-Tversky optimization: learn from answers that were judged good or bad, one by one.

Source: Ethayarajh et al., 2024, https://arxiv.org/abs/2402.01306.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from luthier.core import Plugin, Refusal, hookimpl

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.data import StandardRow
    from luthier.core.data.encoding import EncodedRow, Encoder
    from luthier.core.hooks import Collator
    from luthier.core.run.job import TrainingJob
    from luthier.core.sections import EncodingSection
    from luthier.core.training import Trainer


class KahnemanTversky(Plugin):
    """Train on judged answers, so that good ones grow likelier and bad ones less so."""

    beta: Annotated[float, Field(gt=0)] = 0.1
    """What a log-ratio is multiplied by; the higher, the closer to the model as it began."""
    desirable_weight: Annotated[float, Field(ge=0)] = 1.0
    """The weight of the loss of a good answer; where good ones are few, raise it."""
    undesirable_weight: Annotated[float, Field(ge=0)] = 1.0
    """The weight of the loss of a bad answer."""

    serves: ClassVar = "training"
    refuses: ClassVar = (
        Refusal(
            "shards-weights",
            "a part of the weights alone cannot stand for the reference",
            "Train on one device, or choose another stage",
        ),
    )

    @hookimpl
    def encode_dataset(
        self, dataset: Sequence[StandardRow], encoder: Encoder
    ) -> Sequence[EncodedRow] | None:
        """Return each judged answer as ids, after its prompt."""
        return encoder.judged(dataset)

    @hookimpl
    def build_collator(
        self, tokenizer: PreTrainedTokenizerBase, encoding: EncodingSection
    ) -> Collator | None:
        """Return what pads answers to a batch, and each prompt with another row's answer."""
        from luthier.core.training import PaddingCollator
        from luthier.plugins.stages.judgements import JudgedCollator

        return JudgedCollator(PaddingCollator.of(tokenizer), encoding.max_length)

    @hookimpl
    def build_trainer(self, job: TrainingJob) -> Trainer | None:
        """Return the trainer with the mean loss over the answers of each step."""
        from luthier.plugins.stages.judgements import JudgedTrainer

        return JudgedTrainer(job, self)
