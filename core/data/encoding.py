"""Encoding that stages share: from standardized rows to ids and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import TemplateError
from luthier.core.templates.messages import tools_of

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
        TemplateError: a row has a role or a tool that the template has no place for, or its calls
            or tools are no JSON, or the tokenizer lacks a token; it tells the row.
    """
    from datasets import Features, List, Value

    def encode(row: dict[str, Any], index: int) -> dict[str, Any]:
        system = [{"role": "system", "content": row["system"]}] if row["system"] else []
        messages = [*system, *row["prompt"], *row["response"]]
        try:
            encoded = template.encode(messages, tokenizer, tools_of(row["tools"]))
        except TemplateError as fault:
            raise TemplateError(f"row {index + 1}: {fault}") from fault
        return {"input_ids": encoded.ids, "labels": encoded.labels}

    ids = List(Value("int32"))
    return dataset.map(
        encode,
        with_indices=True,
        remove_columns=dataset.column_names,
        features=Features(input_ids=ids, labels=ids),
        keep_in_memory=True,
        load_from_cache_file=False,
    )
