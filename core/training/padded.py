"""Whether a model leaves out the pads that stand before a shorter row of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from luthier.core.errors import BadModel
from luthier.core.model.modes import evaluated
from luthier.core.model.unwrapping import class_name
from luthier.core.model.value_head import position_ids_of
from luthier.core.training.packed import LEAK, PROBE, ROUGH_LEAK

if TYPE_CHECKING:
    from torch import nn


def require_pads_unseen(model: nn.Module) -> None:
    """Refuse a model in which pads before a row change what is made of it, by trying it.

    Recurrent models, such as RWKV and xLSTM, take them for tokens. How much they may change is
    measured by how much the row's own first token does.

    Args:
        model: the model, or PEFT's wrapper of it; call this in the autocast that it runs in.

    Raises:
        BadModel: they do.
    """
    row = list(range(1, PROBE + 1))
    with evaluated(model), torch.no_grad():
        plain_TV, padded_TV = (_logits_of(model, row, pads) for pads in (0, PROBE // 2))
        other_TV = _logits_of(model, [PROBE + 1, *row[1:]], 0)
    exact = plain_TV.dtype == torch.float32 and not torch.is_autocast_enabled(plain_TV.device.type)
    seen = (other_TV.float() - plain_TV.float()).abs().max()
    change = (padded_TV.float() - plain_TV.float()).abs().max()
    if not change <= (LEAK if exact else ROUGH_LEAK) * seen:
        raise BadModel(
            f"{class_name(model)} takes the pads that stand before a shorter prompt for tokens, "
            "so its answers would depend on the other prompts of the batch. Set "
            "`training.batch_size: 1` and `evaluation.batch_size: 1`, which need no pads, or "
            "choose another model."
        )


def _logits_of(model: nn.Module, row: list[int], pads: int) -> torch.Tensor:
    """Return the logits of a row behind so many pads, (T, V), T being those of the row."""
    device = next(model.parameters()).device
    ids_1T = torch.tensor([[*[0] * pads, *row]], device=device)
    mask_1T = (torch.arange(ids_1T.shape[1], device=device) >= pads).long()[None]
    positions = position_ids_of(model, mask_1T)
    logits_1TV: torch.Tensor = model(ids_1T, attention_mask=mask_1T, **positions).logits
    return logits_1TV[0, -len(row) :]
