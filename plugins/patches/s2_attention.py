"""Shifted sparse attention (S2): train on long rows at a fraction of the attention.

Source: LongLoRA, Chen et al., 2023, https://arxiv.org/abs/2309.12307, section 3.2. A row is cut
into groups, and each token attends within its own. In half of the heads the groups are shifted by
half of their size, so that they overlap those of the other half. The trained model attends in full.

Unlike in the authors' code, the half group that a shift cuts off at the beginning is not joined to
what is left at the end: its tokens would see later ones (the leak that they note there).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import BadModel, Plugin, Refusal, hookimpl

if TYPE_CHECKING:
    import torch

    from luthier.core.hooks import Attention

LEAST = 2
"""Tokens of a group that can be shifted by half."""


class S2Attention(Plugin):
    """Train with attention within groups of tokens, shifted by half of one in half of the heads."""

    share: Annotated[float, Field(gt=0, le=1)] = 0.25
    """The size of a group as a share of the row; a quarter in the paper, 1 is full attention."""
    tokens: Annotated[int, Field(ge=LEAST)] | None = None
    """The size of a group in tokens, instead of the share."""

    traits: ClassVar = frozenset({"attention-wrapper"})
    serves: ClassVar = "training"
    refuses: ClassVar = (
        Refusal(
            "packed-rows",
            "groups go by the place in a pack, and would cut its rows anywhere",
            "Turn packing off: S2 attention is for rows that are long by themselves",
        ),
        Refusal(
            "rows-end-to-end",
            "groups go by the place in a row, and would join what lies end to end",
            "Leave one of them out",
        ),
        Refusal(
            "attention-block-mask",
            "a mask of blocks cannot be cut into groups",
            "Leave that one out, or choose `flash-attention`",
        ),
    )

    @hookimpl
    def wrap_attention(self, attention: Attention) -> Attention | None:
        """Return attention that in training goes by groups."""

        def grouped(
            module: torch.nn.Module,
            query: torch.Tensor,
            key: torch.Tensor,
            value: torch.Tensor,
            mask: Any,
            **named: Any,
        ) -> tuple[torch.Tensor, torch.Tensor | None]:
            length = query.shape[2]
            size = self.tokens or max(LEAST, math.ceil(self.share * length))
            if not module.training or size >= length or key.shape[2] != length:
                return attention(module, query, key, value, mask, **named)
            _require_plain(module, mask, named)
            if mask is not None:
                mask = mask.expand(len(query), *mask.shape[1:])
            return _shifted(attention, module, (query, key, value), mask, size, named), None

        return grouped


def _require_plain(module: torch.nn.Module, mask: Any, named: dict[str, Any]) -> None:
    """Refuse what cannot be cut into groups.

    Raises:
        BadModel: several sequences in a row, a mask of another kind, or a bias by head.
    """
    import torch

    present = [n for n in ("cu_seq_lens_q", "s_aux", "position_bias") if named.get(n) is not None]
    if mask is not None and not isinstance(mask, torch.Tensor):
        present.append(type(mask).__name__)
    if present:
        raise BadModel(
            f"{type(module).__name__} attends with {present[0]}, which cannot be cut into groups. "
            "Leave s2-attention out."
        )


def _shifted(
    attention: Attention,
    module: torch.nn.Module,
    states: tuple[torch.Tensor, ...],
    mask: torch.Tensor | None,
    size: int,
    named: dict[str, Any],
) -> torch.Tensor:
    """Return attention within groups of so many tokens, (B, T, H, D), half of the heads shifted."""
    import torch

    heads, shared = states[0].shape[1], states[1].shape[1]
    # with key heads that the two halves share, both are computed for all heads, and half is kept
    parts = shared % 2 == 0
    by_head = mask is not None and mask.ndim == 4 and mask.shape[1] == heads > 1  # noqa: PLR2004
    outputs = []
    for number, (first, last) in enumerate(((0, heads // 2), (heads // 2, heads))):
        own = tuple(x.chunk(2, 1)[number] for x in states) if parts else states
        seen = mask[:, first:last] if parts and by_head and mask is not None else mask
        output_BTHD = _in_groups(attention, module, own, seen, size, number * size // 2, named)
        outputs.append(output_BTHD if parts else output_BTHD[:, :, first:last])
    return torch.cat(outputs, 2)


def _in_groups(  # noqa: PLR0913, PLR0917 - an attention and where it is cut
    attention: Attention,
    module: torch.nn.Module,
    states: tuple[torch.Tensor, ...],
    mask: torch.Tensor | None,
    size: int,
    lead: int,
    named: dict[str, Any],
) -> torch.Tensor:
    """Return attention within `lead` tokens, then groups of `size`, then what is left."""
    import torch

    from luthier.core.model.attention import folded, unfolded

    length = states[0].shape[2]
    count = (length - lead) // size
    bounds = (0, lead, lead + count * size, length)
    outputs = []
    for start, stop, groups in zip(bounds, bounds[1:], (1, count, 1), strict=False):
        if start == stop:
            continue
        query, key, value = (folded(x[:, :, start:stop], groups) for x in states)
        cut = None if mask is None else _cut(mask, start, stop, groups)
        outputs.append(unfolded(attention(module, query, key, value, cut, **named)[0], groups))
    return torch.cat(outputs, 1)


def _cut(mask: torch.Tensor, start: int, stop: int, count: int) -> torch.Tensor:
    """Return the mask of each group: of tokens (B, T), or of pairs of them (B, 1, T, T)."""
    import torch

    batch, size = len(mask), (stop - start) // count
    if mask.ndim == 2:  # noqa: PLR2004 - the axes that are named above
        return mask[:, start:stop].reshape(batch * count, size)
    pairs = mask[:, :, start:stop, start:stop].reshape(batch, -1, count, size, count, size)
    own = pairs.diagonal(dim1=2, dim2=4).permute(0, 4, 1, 2, 3).flatten(0, 1)
    # a group of nothing but pads would have rows that see nothing, whose softmax is no number
    itself = torch.eye(size, dtype=torch.bool, device=own.device)
    return own.masked_fill(itself, 1 if own.dtype == torch.bool else 0)
