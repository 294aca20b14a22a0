"""A model's vocabulary made to fit its tokenizer: new rows of its embedding and its head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadModel
from luthier.core.problems import counted

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FIXED: Mapping[str, str] = {
    "blt": "it reads bytes, of which there are no more",
    "deepseek_v4": "its first layers have a table of experts with a row for each token",
    "inkling2_text": "its config cuts the logits off at the tokens that it was trained with",
    "xlstm": "transformers' code of it cannot resize its embedding",
}
"""The model types of transformers whose vocabulary cannot grow, each with the reason."""
REMEDY = (
    "Leave out `add_tokens`, `add_special_tokens` and `pad_vocabulary`, take the tokenizer that "
    "the model was trained with, or choose another model."
)

SEED = 0
"""Of the noise: wherever the same model is opened, its new rows are the same."""


@dataclass(frozen=True)
class Vocabulary:
    """What became of a model's vocabulary."""

    tokens: tuple[str, ...]
    """The tokens that are new to the model."""
    ids: tuple[int, ...]
    """Their ids."""
    rows_before: int
    """Rows of the embedding as it was stored."""
    rows: int
    """Its rows now; more than there are tokens, where they were padded to a multiple."""

    @property
    def changed(self) -> bool:
        """Whether it is another than the model was stored with."""
        return bool(self.ids) or self.rows != self.rows_before

    def __str__(self) -> str:
        shown = ", ".join(self.tokens[:MOST_SHOWN]) + (" ..." if self.tokens[MOST_SHOWN:] else "")
        told = (
            [f"{counted(len(self.ids), 'token is', 'tokens are')} new to the model ({shown})"]
            if self.ids
            else []
        )
        if self.rows != self.rows_before:
            told.append(f"its embedding grew from {self.rows_before:,} to {self.rows:,} rows")
        return "; ".join(told) or f"{self.rows:,} rows, as they were"

    def modules(self, model: nn.Module) -> dict[str, list[int]]:
        """Return the new ids by the name of each module that has a row of its own for them.

        PEFT takes it as `trainable_token_indices`: next to an adapter these rows are trained, and
        saved with it, and no others of the embedding and the head are.
        """
        if not self.ids:
            return {}
        layers = _layers_of(model)
        return {name: list(self.ids) for name, module in model.named_modules() if module in layers}


MOST_SHOWN = 5


def why_fixed(config: Mapping[str, Any]) -> str | None:
    """Return why a model's vocabulary cannot grow, where its config, or that of its text, tells."""
    parts = [config, config.get("text_config")]
    for kind in (str(one.get("model_type")) for one in parts if isinstance(one, Mapping)):
        if kind in FIXED:
            return f"the vocabulary of models of the type {kind} cannot grow: {FIXED[kind]}"
    return None


def add_tokens(
    tokenizer: PreTrainedTokenizerBase, tokens: Sequence[str], special_tokens: Sequence[str]
) -> tuple[str, ...]:
    """Add tokens to a tokenizer; return those that it has already, which are left as they are.

    Args:
        tokenizer: is changed.
        tokens: texts that become one token each wherever they stand.
        special_tokens: texts that become one token only where a template prints them.
    """
    vocabulary = tokenizer.get_vocab()
    tokenizer.add_tokens([one for one in tokens if one not in vocabulary])
    missing = [one for one in special_tokens if one not in vocabulary]
    tokenizer.add_tokens(missing, special_tokens=True)
    return tuple(one for one in (*tokens, *special_tokens) if one in vocabulary)


def fit_vocabulary(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, known: int, multiple: int = 1
) -> Vocabulary:
    """Give a model a row of its embedding and its head for each token of its tokenizer.

    The rows of new tokens begin as the mean of the old rows with noise of their spread ("noisy
    mean", paper, section 3.1): rows that are all the same would be told apart by nothing.

    Args:
        model: is changed, its embedding of shape (V, D), and the config with it.
        tokenizer: the tokenizer, of T tokens.
        known: how many tokens the model was trained with; the others are new to it, also where
            its embedding has rows to spare.
        multiple: the rows are padded to a multiple of this.

    Raises:
        BadModel: it cannot grow.
    """
    found = vocabulary_for(model, tokenizer, known, multiple)
    if found.rows != found.rows_before:
        _resize(model, found.rows)
    fresh = sorted({*found.ids, *range(found.rows_before, found.rows)})
    if fresh:
        for layer in _layers_of(model):
            for parameter in (layer.weight, getattr(layer, "bias", None)):
                if parameter is not None:
                    fill_with_noisy_mean(parameter.data, fresh)
    return found


def vocabulary_for(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, known: int, multiple: int = 1
) -> Vocabulary:
    """Return what `fit_vocabulary` makes of a model's vocabulary; the model is left as it is."""
    embedding: Any = model.get_input_embeddings()
    before = int(embedding.weight.shape[0])
    rows = -(-max(before, len(tokenizer)) // multiple) * multiple
    ids = tuple(range(min(known, before), len(tokenizer)))
    tokens = tokenizer.convert_ids_to_tokens(list(ids))
    return Vocabulary(tuple(map(str, tokens)), ids, before, rows)


def _resize(model: PreTrainedModel, rows: int) -> None:
    """Give the embedding and the head so many rows.

    Raises:
        BadModel: the model's code cannot, or would give the two different numbers of rows.
    """
    if reason := why_fixed(model.config.to_dict()):
        raise BadModel(f"{reason}. {REMEDY}")
    try:
        model.resize_token_embeddings(rows, mean_resizing=False)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as fault:
        said = f"the vocabulary of {type(model).__name__} cannot grow: {fault}"
        raise BadModel(f"{said.rstrip('.')}. {REMEDY}") from fault
    for layer in _layers_of(model):
        if (found := len(layer.weight)) != rows:
            raise BadModel(
                f"the vocabulary of {type(model).__name__} cannot grow: of {rows:,} rows its "
                f"embedding or its head has {found:,}. {REMEDY}"
            )


def fill_with_noisy_mean(weight_VD: torch.Tensor, rows: Sequence[int]) -> None:
    """Set rows to the mean of all others plus normal noise of their standard deviation, by column.

    Args:
        weight_VD: of shape (V, D), or (V,) of a bias; it is changed.
        rows: which are set.
    """
    import torch

    old = torch.ones(len(weight_VD), dtype=torch.bool, device=weight_VD.device)
    old[list(rows)] = False
    known = weight_VD[old].float()
    mean, spread = known.mean(0), known.std(0, correction=0)
    random = torch.Generator().manual_seed(SEED)
    noise = torch.randn((len(rows), *weight_VD.shape[1:]), generator=random).to(mean.device)
    weight_VD[list(rows)] = (mean + spread * noise).to(weight_VD.dtype)


def _layers_of(model: Any) -> list[Any]:
    """Return the embedding, and the head where it is not tied to it."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head is None or head.weight is embedding.weight:
        return [embedding]
    return [embedding, head]
