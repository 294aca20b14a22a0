"""Supervised fine-tuning: learn the answers of conversations (paper, section 3.3).

The loss counts the answers only, by default every one of a conversation (Ouyang et al., 2022,
https://arxiv.org/abs/2203.02155); `dft` is Dynamic Fine-Tuning (Wu et al., 2025,
https://arxiv.org/abs/2508.05629).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from luthier.core import Finding, Plugin, hookimpl
from luthier.core.model.isolation import leak_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from luthier.core.data import StandardRow
    from luthier.core.data.encoding import EncodedRow, Encoder
    from luthier.core.hooks import Collator, Items
    from luthier.core.run.job import TrainingJob
    from luthier.core.sections import EncodingSection
    from luthier.core.training import Trainer


class SupervisedFineTuning(Plugin):
    """Train on the answers of conversations."""

    packing: bool = False
    """Put short rows together in sequences of `encoding.max_length` tokens; none sees another."""
    loss: Literal["cross-entropy", "dft"] = "cross-entropy"
    """What is made of a token: its cross entropy, or by `dft` that times its probability."""

    traits: ClassVar = frozenset({"token-rows"})
    serves: ClassVar = "training"

    def traits_of_options(self) -> frozenset[str]:
        """Return that it packs rows, where it does."""
        return frozenset({"packed-rows"}) if self.packing else frozenset()

    @hookimpl
    def check_model(self, config: Mapping[str, Any]) -> Iterable[Finding]:
        """Tell of a model that is known to carry something from one packed row to the next."""
        if self.packing and (reason := leak_of(config)):
            said = f"in models of the type {config.get('model_type')} {reason}"
            yield Finding("packing", said, "Leave packing out, or choose another model.")

    @hookimpl
    def encode_dataset(
        self, dataset: Sequence[StandardRow], encoder: Encoder
    ) -> Sequence[EncodedRow] | None:
        """Return each conversation as ids, its answers trained."""
        return encoder.conversations(dataset)

    @hookimpl
    def arrange_dataset(self, dataset: Dataset, encoding: EncodingSection) -> Items | None:
        """Return packs of rows, or the rows as they are."""
        from luthier.core.data.arrangement import packs

        return packs(dataset, encoding.max_length) if self.packing else None

    @hookimpl
    def build_collator(self, tokenizer: PreTrainedTokenizerBase, attention: str) -> Collator | None:
        """Return what pads rows to a batch, or lays packs out."""
        from luthier.core.training import PackedCollator, PaddingCollator

        if self.packing:
            return PackedCollator.of(tokenizer, attention)
        return PaddingCollator.of(tokenizer)

    @hookimpl
    def build_trainer(self, job: TrainingJob) -> Trainer | None:
        """Return the trainer with the mean loss over the tokens of each step."""
        if self.loss == "dft":
            from luthier.plugins.stages.dynamic import DynamicTrainer

            return DynamicTrainer(job)
        from luthier.core.training import Trainer

        return Trainer(job)
