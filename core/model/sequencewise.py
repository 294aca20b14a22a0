"""Attention of sequences that lie end to end in one row, each computed by itself.

transformers tells such sequences apart by their positions, which begin again with each, and hands a
backend's mask function a rule of two indices: whether token i sees token j. For SDPA it is worked
out for all pairs of the row. Here it is asked along the diagonal alone: a token that does not see
the one before it begins a new stretch, of which nothing before can be seen, as the tokens that a
token sees follow each other (causal masks, windows and chunks). Each stretch then goes
through SDPA, those of one length together; so no pad and no pair of two sequences is ever computed,
and windows, shared key heads and what else transformers' SDPA does stay as they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.errors import BadModel

if TYPE_CHECKING:
    import torch

SEQUENCEWISE = "sequencewise"
"""The name under which it is registered with transformers."""


class Group(NamedTuple):
    """Stretches of one length."""

    members: list[int]
    """Which of the row's stretches these are."""
    mask: torch.Tensor | None
    """Which token of a stretch sees which, (1, 1, length, length); None for all before it."""


class Stretches:
    """What a row of tokens is made of; it goes to attention in the place of a mask."""

    def __init__(self, starts: list[int], tokens: int, mask_of: Callable[..., Any]) -> None:
        """Group the stretches that begin at `starts`, the first at 0.

        Args:
            starts: the first token of each.
            tokens: how many the row has.
            mask_of: returns the mask of a stretch by its first token and its length.
        """
        self.lengths = [stop - start for start, stop in pairwise([*starts, tokens])]
        by_length: dict[int, list[int]] = defaultdict(list)
        for n, length in enumerate(self.lengths):
            by_length[length].append(n)
        self.groups = [
            Group(of, mask_of(starts[of[0]], length)) for length, of in by_length.items()
        ]

    def in_groups(self, states_1HTD: torch.Tensor) -> list[torch.Tensor]:
        """Return the states of each group, of shape (stretches, heads, length, head size)."""
        import torch

        parts = states_1HTD.split_with_sizes(self.lengths, dim=2)
        found = ([parts[n] for n in group.members] for group in self.groups)
        return [torch.cat(one) if len(one) > 1 else one[0] for one in found]  # no copy of one alone

    def in_row(self, outputs: list[torch.Tensor]) -> torch.Tensor:
        """Return the outputs of all groups, each (stretches, length, heads, size), as one row."""
        import torch

        parts = {
            n: output
            for group, of_it in zip(self.groups, outputs, strict=True)
            for n, output in zip(group.members, of_it, strict=True)
        }
        return torch.cat([parts[n] for n in range(len(parts))])[None]

    def _is_no_mask(self, *_: Any) -> Any:
        """Refuse to be read by the code of a model.

        Raises:
            BadModel: always.
        """
        raise BadModel(
            "the model's own code reads the attention mask, and where sequences lie end to end "
            "there is none. Leave out what lays rows end to end (`~NAME` in `patches`), or choose "
            "another model."
        )

    __getitem__ = __add__ = __radd__ = _is_no_mask
    dtype = property(_is_no_mask)


def register() -> str:
    """Make it known to transformers; return its name there."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(SEQUENCEWISE, sequencewise_attention)
    AttentionMaskInterface.register(SEQUENCEWISE, stretches)
    return SEQUENCEWISE


def stretches(
    *,
    batch_size: int,
    q_length: int,
    kv_length: int,
    mask_function: Callable[..., torch.Tensor],
    attention_mask: torch.Tensor | None = None,
    local_size: int | None = None,
    **rest: Any,
) -> Any:
    """Return the stretches of a row, or SDPA's mask where it is no row of several sequences.

    The arguments are those of transformers' mask functions.
    """
    import torch
    from transformers.masking_utils import sdpa_mask

    named: dict[str, Any] = {**rest, "mask_function": mask_function, "local_size": local_size}
    plain = batch_size != 1 or attention_mask is not None or q_length != kv_length
    if plain or rest.get("use_vmap") or rest.get("past_key_values") is not None:
        return sdpa_mask(batch_size, q_length, kv_length, attention_mask=attention_mask, **named)
    row = torch.zeros((), dtype=torch.long, device=rest.get("device", "cpu"))
    later = torch.arange(1, q_length, device=row.device)
    begins = ~mask_function(row, row, later, later - 1)
    if not begins.any() or mask_function(row, row, later - 1, later).any():
        return sdpa_mask(1, q_length, kv_length, **named)

    def mask_of(start: int, length: int) -> torch.Tensor | None:
        if local_size is None or length <= local_size:
            return None
        of_it = {**named, "q_offset": start, "kv_offset": start, "allow_is_causal_skip": False}
        return sdpa_mask(1, length, length, **of_it)

    return Stretches([0, *(begins.nonzero()[:, 0] + 1).tolist()], q_length, mask_of)


def sequencewise_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Any,
    **named: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention of each stretch by itself, (1, tokens, heads, head size).

    The arguments are those of transformers' attention interface; where the mask is none of ours,
    this is its SDPA.

    Raises:
        BadModel: the model adds to its attention what SDPA cannot compute.
    """
    for name in ("s_aux", "position_bias"):
        if named.get(name) is not None:
            raise BadModel(
                f"{type(module).__name__} adds `{name}` to its attention, which cannot be computed "
                "by sequences. Leave out what lays rows end to end or is laid over attention "
                "(`~NAME` in `patches`), or choose another model."
            )
    if not isinstance(attention_mask, Stretches):
        return _attention(module, query, key, value, attention_mask, **named)
    states = zip(*map(attention_mask.in_groups, (query, key, value)), strict=True)
    outputs = [
        _attention(module, *qkv, group.mask, **named)[0]
        for qkv, group in zip(states, attention_mask.groups, strict=True)
    ]
    return attention_mask.in_row(outputs), None


def _attention(module: Any, *states: Any, **named: Any) -> tuple[torch.Tensor, None]:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if named.get("softcap") is not None:
        return _capped(*states, training=module.training, **named), None
    output: tuple[torch.Tensor, None] = sdpa_attention_forward(module, *states, **named)
    return output


def _capped(  # noqa: PLR0913 - those of the interface that it heeds
    query_BHTD: torch.Tensor,
    key_BKSD: torch.Tensor,
    value_BKSD: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    softcap: float,
    scaling: float | None = None,
    dropout: float = 0.0,
    training: bool = False,
    **_: Any,
) -> torch.Tensor:
    """Return attention whose scores stay within a cap, (B, T, H, D); SDPA has none.

    softmax(cap tanh(q k / (scale cap)) + mask) v: Gemma 2, https://arxiv.org/abs/2408.00118,
    section 2.
    """
    import torch

    shared = query_BHTD.shape[1] // key_BKSD.shape[1]
    key_BHSD, value_BHSD = (x.repeat_interleave(shared, 1) for x in (key_BKSD, value_BKSD))
    scale = query_BHTD.shape[-1] ** -0.5 if scaling is None else scaling
    scores_BHTS = softcap * ((query_BHTD @ key_BHSD.mT) * scale / softcap).tanh()
    if mask is None:  # the last token sees all keys; those of a cache come before the first
        tokens, keys = scores_BHTS.shape[-2:]
        seen_TS = torch.ones(tokens, keys, dtype=torch.bool, device=scores_BHTS.device)
        mask = seen_TS.tril(keys - tokens)
    if mask.dtype == torch.bool:
        scores_BHTS = scores_BHTS.masked_fill(~mask, torch.finfo(scores_BHTS.dtype).min)
    else:
        scores_BHTS = scores_BHTS + mask
    weights_BHTS = scores_BHTS.softmax(-1, dtype=torch.float32).to(value_BHSD.dtype)
    weights_BHTS = torch.nn.functional.dropout(weights_BHTS, dropout, training)
    return (weights_BHTS @ value_BHSD).transpose(1, 2)
