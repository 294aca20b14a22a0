"""Weighted supervised fine-tuning: the right token has the most weight, all others share the rest.

Source: label smoothing (Szegedy et al., 2016, section 7, https://arxiv.org/abs/1512.00567).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from luthier.core.hooks import Collator
    from luthier.core.job import TrainingJob
    from luthier.core.templates import ChatTemplate
    from luthier.core.training import Trainer


class WeightedSft(Plugin):
    """Train on the answers of conversations, with a weight for the tokens that are wrong."""

    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """The weight that all tokens of the vocabulary share; the right one has the rest besides."""

    serves: ClassVar = "training"

    @hookimpl
    def encode_dataset(
        self, dataset: Dataset, template: ChatTemplate, tokenizer: PreTrainedTokenizerBase
    ) -> Dataset | None:
        """Return each conversation as ids, and as labels where an answer stands."""
        from luthier.core.dataset import mapped

        def encode(row: dict[str, Any]) -> dict[str, Any]:
            system = [{"role": "system", "content": row["system"]}] if row["system"] else []
            encoded = template.encode([*system, *row["prompt"], *row["response"]], tokenizer)
            return {"input_ids": encoded.ids, "labels": encoded.labels}

        return mapped(dataset, encode).select_columns(["input_ids", "labels"])

    @hookimpl
    def build_collator(self, tokenizer: PreTrainedTokenizerBase) -> Collator | None:
        """Return what pads rows to a batch."""
        from luthier.core.training import PaddingCollator

        return PaddingCollator(tokenizer.pad_token_id or 0)

    @hookimpl
    def build_trainer(self, job: TrainingJob) -> Trainer | None:
        """Return the trainer with the smoothed mean loss over the tokens of each step."""
        from functools import partial

        from luthier.core.training import Trainer
        from luthier.core.wiring import first_answer
        from luthier_examples.smoothed_loss import smoothed_loss

        collator = first_answer(job.manager, "build_collator", tokenizer=job.opened.tokenizer)
        loss = partial(smoothed_loss, smoothing=self.smoothing)
        return Trainer(job, collator, compute_loss_func=loss)
