"""Supervised fine-tuning: learn the answers of conversations (paper, section 3.3).

The loss counts the answers only, by default every one of a conversation (Ouyang et al., 2022,
https://arxiv.org/abs/2203.02155).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from luthier.core.hooks import Collator
    from luthier.core.job import TrainingJob
    from luthier.core.templates import ChatTemplate
    from luthier.core.training import Trainer


class SupervisedFineTuning(Plugin):
    """Train on the answers of conversations."""

    serves: ClassVar = "training"

    @hookimpl
    def encode_dataset(
        self, dataset: Dataset, template: ChatTemplate, tokenizer: PreTrainedTokenizerBase
    ) -> Dataset | None:
        """Return each conversation as ids, and as labels where an answer stands."""
        from datasets import Features, List, Value

        def encode(row: dict[str, Any]) -> dict[str, Any]:
            system = [{"role": "system", "content": row["system"]}] if row["system"] else []
            encoded = template.encode([*system, *row["prompt"], *row["response"]], tokenizer)
            return {"input_ids": encoded.ids, "labels": encoded.labels}

        ids = List(Value("int32"))
        return dataset.map(
            encode, remove_columns=dataset.column_names,
            features=Features(input_ids=ids, labels=ids),
            keep_in_memory=True, load_from_cache_file=False,
        )  # fmt: skip

    @hookimpl
    def build_collator(self, tokenizer: PreTrainedTokenizerBase) -> Collator | None:
        """Return what pads rows to a batch."""
        from luthier.core.training import PaddingCollator

        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        return PaddingCollator(int(pad))

    @hookimpl
    def build_trainer(self, job: TrainingJob) -> Trainer | None:
        """Return the trainer with the mean loss over the tokens of each step."""
        from luthier.core.training import Trainer
        from luthier.core.wiring import first_answer

        collator = first_answer(job.manager, "build_collator", tokenizer=job.opened.tokenizer)
        return Trainer(job, collator)
