"""Value heads: a scalar for each token, of what the model makes of it (paper, section 3.1).

A reward model's scores and PPO's values come from such heads. Several stand on one model, each by a
name, so that a reward and a value need no second one ("Model-Sharing RLHF", paper, section 3.3).

What a model makes of a token is what its output embedding reads. It is heard there, since that is
the one place which every decoder of transformers tells in public; other attributes that name the
inner model miss some (OPT, Llama 4, ModernBERT's decoder), or what comes after it (MiniCPM 3).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from luthier.core.errors import BadModel
from luthier.core.model.modes import evaluated
from luthier.core.model.unwrapping import class_name, unwrapped

FILE = "value_head.safetensors"
"""Stands beside the model, or the adapter; tensors are named `NAME.weight` and `NAME.bias`."""


class ValueHead(nn.Linear):
    """A linear layer from a token's representation to a scalar, in float32 in any model."""

    def __init__(self, size: int) -> None:
        """Begin with weights of N(0, 1 / (size + 1)) and no bias, so that values are about one.

        Source: Stiennon et al., 2020 (https://arxiv.org/abs/2009.01325), of reward models; Huang
        et al., 2024 (https://arxiv.org/abs/2403.17031), section 6.

        Args:
            size: how many numbers a representation has (D).
        """
        super().__init__(size, 1, dtype=torch.float32)

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        nn.init.normal_(self.weight, std=(self.in_features + 1) ** -0.5)
        nn.init.zeros_(self.bias)

    def forward(self, hidden_BTD: torch.Tensor) -> torch.Tensor:
        """Return values of shape (B, T), computed in float32 within autocast too."""
        with torch.autocast(hidden_BTD.device.type, enabled=False):
            return super().forward(hidden_BTD.to(self.weight)).squeeze(-1)


class Valued(NamedTuple):
    """What a model with a value head gives."""

    values: torch.Tensor
    """Of shape (B, T), in float32."""
    logits: torch.Tensor | None
    """Of shape (B, T, V); None where they were not asked for."""


class ValuedModel(nn.Module):
    """A language model, or PEFT's wrapper of one, with value heads on it.

    Whatever is to share gradients or weights over processes wraps this, and not the model within.
    """

    def __init__(self, model: Any, heads: Mapping[str, ValueHead]) -> None:
        """Put heads on a model.

        Args:
            model: the model; it may be quantized, and adapters on it may be switched at any time.
            heads: the heads by their names, moved to where the model's representations are.

        Raises:
            BadModel: a head is of another size than the model's representations.
        """
        super().__init__()
        probe = _probed(model)
        for name, head in heads.items():
            if head.in_features != probe.shape[-1]:
                raise BadModel(
                    f"the value head {name!r} reads {head.in_features:,} numbers of a token, and "
                    f"{class_name(model)} gives {probe.shape[-1]:,}. Name the head of this model."
                )
        self.model = model
        self.heads = nn.ModuleDict({name: one.to(probe.device) for name, one in heads.items()})

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        *,
        head: str,
        logits: bool = False,
        **inputs: Any,
    ) -> Valued:
        """Return the values of one head for each token, of one forward pass of the model.

        Args:
            input_ids: of shape (B, T).
            attention_mask: of shape (B, T), 1 for tokens and 0 for pads, on either side.
            head: the name of the head.
            logits: whether logits of shape (B, T, V) are wanted besides. Else the model computes
                those of one token of each row, and no others.
            inputs: what else the model is called with.
        """
        if attention_mask is not None:
            inputs = {**position_ids_of(self.model, attention_mask), **inputs}
        if not logits:
            inputs = {**_without_cache(self.model), **inputs}
        with _heard(self.model, logits=logits) as heard:
            output = self.model(input_ids=input_ids, attention_mask=attention_mask, **inputs)
        # a tuner of prompts lays tokens of its own before those of the row
        values_BT = self.heads[head](heard[-1][:, -input_ids.shape[1] :])
        return Valued(values_BT, output.logits if logits else None)


def position_ids_of(model: Any, attention_mask_BT: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the positions of padded rows as an argument of a model; none where it takes none.

    Not every model counts from the first token that is no pad.

    Args:
        model: the model, or PEFT's wrapper of it.
        attention_mask_BT: 1 for tokens and 0 for pads, on either side.
    """
    if not _takes(model, "position_ids"):
        return {}
    return {"position_ids": (attention_mask_BT.long().cumsum(1) - 1).clamp(min=0)}


def new_value_head(model: Any) -> ValueHead:
    """Return a value head of random weights that fits a model.

    Raises:
        BadModel: nothing is heard of what the model makes of a token.
    """
    return ValueHead(_probed(model).shape[-1])


def last_values(values_BT: torch.Tensor, attention_mask_BT: torch.Tensor) -> torch.Tensor:
    """Return of shape (B,) the value at the last token of each row that is no pad.

    Args:
        values_BT: of shape (B, T).
        attention_mask_BT: of shape (B, T), 1 for tokens and 0 for pads, on either side. A model
            that lets pads in (RWKV, xLSTM, RecurrentGemma) wants them on the right.

    Raises:
        ValueError: a row is all pads.
    """
    mask_BT = attention_mask_BT.to(values_BT.device).bool()
    if not mask_BT.any(1).all():
        raise ValueError(f"row {int((~mask_BT.any(1)).nonzero()[0])} of the batch has no token")
    places_T = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    last_B1 = (places_T * mask_BT).amax(1, keepdim=True)
    return values_BT.gather(1, last_B1).squeeze(1)


# --- files --------------------------------------------------------------------------------------


def save_value_heads(heads: Mapping[str, ValueHead], folder: Path) -> None:
    """Write heads to the file of a model's folder that `load_value_heads` reads."""
    tensors = {
        f"{name}.{part}": tensor.detach().cpu().clone()
        for name, head in heads.items()
        for part, tensor in head.state_dict().items()
    }
    save_file(tensors, folder / FILE)


def load_value_heads(folder: Path) -> dict[str, ValueHead]:
    """Return the value heads that were saved with a model, by their names, on the CPU.

    Raises:
        BadModel: there are none, or the file is not what `save_value_heads` writes.
    """
    file = folder / FILE
    if not file.is_file():
        raise BadModel(
            f"{folder} holds no value head: there is no {FILE} in it, and no other file is read "
            f"for one. {_ANOTHER}"
        )
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as fault:
        raise BadModel(f"{file} cannot be read: {fault}. {_ANOTHER}") from fault
    names = dict.fromkeys(name.rpartition(".")[0] for name in tensors)
    if not names or tensors.keys() != {f"{n}.{part}" for n in names for part in _PARTS}:
        held = ", ".join(tensors) or "nothing"
        raise BadModel(f"{file} holds {held}, and a head is NAME.weight and NAME.bias. {_ANOTHER}")
    return {name: _loaded(file, name, *(tensors[f"{name}.{p}"] for p in _PARTS)) for name in names}


_PARTS = ("weight", "bias")
_ANOTHER = "Name the folder of a model that was trained with one."


def _loaded(file: Path, name: str, weight_1D: torch.Tensor, bias_1: torch.Tensor) -> ValueHead:
    """Return a head of stored tensors.

    Raises:
        BadModel: a tensor is of another shape or dtype.
    """
    size = weight_1D.shape[-1] if weight_1D.ndim else 0
    for part, tensor, shape in zip(_PARTS, (weight_1D, bias_1), ((1, size), (1,)), strict=True):
        if tuple(tensor.shape) != shape or tensor.dtype != torch.float32 or not size:
            raise BadModel(
                f"{file}: {name}.{part} is {_told(tensor)}, and a head's is float32 of shape "
                f"{'(1, D)' if part == _PARTS[0] else '(1,)'}. {_ANOTHER}"
            )
    head = ValueHead(size)
    head.load_state_dict({"weight": weight_1D, "bias": bias_1})
    return head


def _told(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


# --- what a model makes of a token --------------------------------------------------------------


def _takes(model: Any, argument: str) -> bool:
    return argument in inspect.signature(unwrapped(model).forward).parameters


def _without_cache(model: Any) -> dict[str, bool]:
    return {"use_cache": False} if _takes(model, "use_cache") else {}


@contextmanager
def _heard(model: Any, *, logits: bool) -> Iterator[list[torch.Tensor]]:
    """Hear what the output embedding reads, of shape (B, T, D), while the model runs within.

    Args:
        model: the model.
        logits: whether it reads all of it, or the last token of each row alone.

    Raises:
        BadModel: it has no output embedding.
    """
    head = unwrapped(model).get_output_embeddings()
    if head is None:
        raise BadModel(f"{class_name(model)} has no output embedding, so it takes no value head.")
    heard: list[torch.Tensor] = []

    def hear(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        del module
        heard.append(inputs[0])
        return inputs if logits else (inputs[0][:, -1:],)

    handle = head.register_forward_pre_hook(hear)
    try:
        yield heard
    finally:
        handle.remove()


def _probed(model: Any) -> torch.Tensor:
    """Return of shape (1, T, D) what a model makes of two tokens, and of those that it adds.

    Raises:
        BadModel: nothing of that shape is heard; some models have the tokens before the rows.
    """
    with evaluated(model), torch.no_grad(), _heard(model, logits=False) as heard:
        ids = torch.tensor([[1, 2]], device=model.device)
        model(input_ids=ids, **_without_cache(model))
    if len(heard) != 1 or heard[0].ndim != 3 or len(heard[0]) != 1:  # noqa: PLR2004 - (1, T, D)
        raise BadModel(
            f"{class_name(model)} does not hand each token's representation to its output "
            "embedding, so it takes no value head. Choose another model."
        )
    return heard[0]
