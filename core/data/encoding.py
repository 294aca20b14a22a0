"""Encoding that stages share: from standardized rows to ids and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from luthier.core.templates import ChatTemplate


def encode_conversations(
    dataset: Dataset, template: ChatTemplate, tokenizer: PreTrainedTokenizerBase
) -> Dataset:
    """Return each conversation as `input_ids`, and as `labels` where an answer stands.

    Args:
        dataset: standardized rows.
        template: the chat template that renders them.
        tokenizer: the model's.

    Raises:
        TemplateError: a row has a role, or the tokenizer lacks a token, that the template needs.
    """
    from datasets import Features, List, Value

    def encode(row: dict[str, Any]) -> dict[str, Any]:
        system = [{"role": "system", "content": row["system"]}] if row["system"] else []
        encoded = template.encode([*system, *row["prompt"], *row["response"]], tokenizer)
        return {"input_ids": encoded.ids, "labels": encoded.labels}

    ids = List(Value("int32"))
    return dataset.map(
        encode,
        remove_columns=dataset.column_names,
        features=Features(input_ids=ids, labels=ids),
        keep_in_memory=True,
        load_from_cache_file=False,
    )
