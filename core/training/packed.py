"""Batches of packed rows, in which no sample sees another.

What separates the samples of a pack is their positions, which begin at 0 again with each, and no
attention mask at all. transformers makes of them what its backend needs: a block-diagonal causal
mask for `eager` and `sdpa`, a block mask for `flex_attention`. That is the simplest layout that is
exact: a mask of our own of shape (B, 1, T, T) is taken as it is in every layer, so that a model
with sliding windows loses them, and a mask of shape (B, T) turns the detection off.

Flash kernels take no mask. Theirs is one row without pads, (1, tokens), and the bounds of samples.
`sequencewise` (core/model/sequencewise.py) takes such a row, too, and needs no bounds.

Two things break it. A cache of keys does, silently: transformers then no longer looks at positions;
so batches say `use_cache: False`. And a model may not hand its positions on (Falcon, OPT, MPT and
gpt-oss do not in transformers 5.23), or may have layers that carry a state from token to token;
`require_isolated` finds out by trying.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn.functional import pad

from luthier.core.data.columns import unfolded
from luthier.core.errors import BadModel
from luthier.core.model.modes import evaluated
from luthier.core.model.padding import pad_id_of
from luthier.core.model.sequencewise import SEQUENCEWISE
from luthier.core.model.unwrapping import class_name
from luthier.core.templates import IGNORED

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

Layout = Literal["rows", "flat", "line"]
"""`rows` is (B, T), a row for each pack; `line` is (1, tokens); `flat` has the bounds besides."""
Pack = Sequence[Mapping[str, Any]]

LAYOUTS: dict[str, Layout] = {
    "eager": "rows",
    "sdpa": "rows",
    "flex_attention": "rows",
    "flash_attention_2": "flat",
    "flash_attention_3": "flat",
    SEQUENCEWISE: "line",
}
"""The layout that each attention backend of transformers separates samples in."""
PROBE = 8
"""Tokens of each of the two samples that a model is tried with."""
LEAK, ROUGH_LEAK = 1e-4, 1e-2
"""How much of what a sample's own token changes in it another sample may: less is rounding, in
float32 and in what is less precise."""


def layout_of(attention: str) -> Layout:
    """Return the layout that a backend of transformers separates samples in.

    Raises:
        BadModel: nothing is known of the backend.
    """
    if attention not in LAYOUTS:
        raise BadModel(
            f"the attention backend {attention!r} is not known to keep packed samples apart. "
            f"Choose one of: {', '.join(sorted(LAYOUTS))}; or turn packing off."
        )
    return LAYOUTS[attention]


class PackedCollator:
    """Lays packs out so that each sample is computed as if it were alone."""

    def __init__(self, pad_id: int, layout: Layout) -> None:
        """Pad with `pad_id`, where the layout has pads; no sample looks at one."""
        self.pad_id = pad_id
        self.layout = layout

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, attention: str) -> PackedCollator:
        """Return the collator for a backend, by its name in transformers.

        Raises:
            BadModel: nothing is known of the backend.
        """
        return cls(pad_id_of(tokenizer), layout_of(attention))

    def __call__(self, items: Sequence[Pack | Mapping[str, Any]]) -> dict[str, Any]:
        """Return `input_ids`, `labels` and `position_ids`, and for `flat` the bounds of samples.

        Args:
            items: the encoded rows of each pack, as `input_ids` and `labels`; none is empty. Or
                rows, each sequence of which is a pack of one.
        """
        packs = [one for one in items if not isinstance(one, Mapping)]
        packs += [[one] for one in unfolded([one for one in items if isinstance(one, Mapping)])]
        return self._rows(packs) if self.layout == "rows" else self._end_to_end(packs)

    def _rows(self, packs: Sequence[Pack]) -> dict[str, Any]:
        laid = [_end_to_end(pack) for pack in packs]
        shape = (len(packs), max(len(ids) for ids, _, _ in laid))
        ids_BT = torch.full(shape, self.pad_id, dtype=torch.long)
        labels_BT = torch.full(shape, IGNORED, dtype=torch.long)
        positions_BT = torch.empty(shape, dtype=torch.long)
        for n, (ids, labels, positions) in enumerate(laid):
            size = len(ids)
            ids_BT[n, :size] = ids
            labels_BT[n, :size] = labels
            positions_BT[n, :size] = positions
            # no sample begins so, nor goes on so: each pad is by itself, and is known for a pad
            positions_BT[n, size:] = 1 if positions[-1] else 2
        return _batch(ids_BT, labels_BT, positions_BT)

    def _end_to_end(self, packs: Sequence[Pack]) -> dict[str, Any]:
        rows = list(itertools.chain.from_iterable(packs))
        batch = _batch(*(column[None] for column in _end_to_end(rows)))
        if self.layout == "line":
            return batch
        sizes = [len(row["input_ids"]) for row in rows]
        bounds = torch.tensor([0, *itertools.accumulate(sizes)], dtype=torch.int32)
        return {
            **batch,
            "cu_seq_lens_q": bounds,
            "cu_seq_lens_k": bounds,
            "max_length_q": max(sizes),
            "max_length_k": max(sizes),
        }


def tokens_of(batch: Mapping[str, Any]) -> torch.Tensor:
    """Return how many tokens a batch has, packed or not, without its pads."""
    if "attention_mask" in batch:
        return torch.as_tensor(batch["attention_mask"]).sum()
    return tokens_in(torch.as_tensor(batch["position_ids"])).sum()


def tokens_in(positions_BT: torch.Tensor) -> torch.Tensor:
    """Return which positions of packed rows are those of tokens, and not of pads; (B, T), bool."""
    follows_BT = positions_BT == pad(positions_BT[:, :-1], (1, 0), value=-1) + 1
    return follows_BT | (positions_BT == 0)


def require_isolated(model: nn.Module, attention: str) -> None:
    """Refuse a model in which a sample of a pack sees the one before it, by trying it.

    A pack of two short samples goes through the model as it stands, its backend, wrappers and
    adapters with it; then again with another first sample. The second's logits may not change, as
    measured by how much those of its later tokens do where its own first token is another. What
    only reaches across in packs that are longer than these 16 tokens is not found.

    Args:
        model: the model, loaded; call this in the autocast that it is trained in.
        attention: its backend, by its name in transformers.

    Raises:
        BadModel: they do change, or nothing is known of the backend.
    """
    collate = PackedCollator(0, layout_of(attention))
    device = next(model.parameters()).device
    with evaluated(model), torch.no_grad():
        plain, other, own = (_second(model, collate, tried, device) for tried in _TRIED)
    exact = plain.dtype == torch.float32 and not torch.is_autocast_enabled(device.type)
    leak = (other.float() - plain.float()).abs().max()
    seen = (own.float() - plain.float())[1:].abs().max()
    # experts sum in another order beside other tokens
    if not leak <= (LEAK if exact else ROUGH_LEAK) * seen:
        raise BadModel(
            f"{class_name(model)} with the attention backend {attention!r} does not keep "
            "packed samples apart: what stands in one changes the next. "
            "Turn packing off and leave out what lays rows end to end (`~NAME` in `patches`), or "
            "choose another model or backend."
        )


_ONE, _TWO = range(1, PROBE + 1), range(PROBE + 1, 2 * PROBE + 1)
_TRIED = ((_ONE, _ONE), (_TWO, _ONE), (_ONE, (_TWO[0], *_ONE[1:])))
"""The ids of two samples: as they are, the first changed, the first token of the second changed."""


def _second(
    model: nn.Module,
    collate: PackedCollator,
    samples: Sequence[Sequence[int]],
    device: torch.device,
) -> torch.Tensor:
    """Return the logits of the second of two samples."""
    batch = collate([[{"input_ids": list(ids), "labels": list(ids)} for ids in samples]])
    del batch["labels"]
    moved = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in batch.items()}
    logits_TV: torch.Tensor = model(**moved).logits[0, PROBE:]
    return logits_TV


def _end_to_end(rows: Pack) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return ids, labels and positions of rows that follow each other."""
    ids, labels, positions = [], [], []
    for row in rows:
        own = torch.as_tensor(row["labels"], dtype=torch.long).clone()
        own[:1] = IGNORED  # what stands before it is another sample's
        ids.append(torch.as_tensor(row["input_ids"], dtype=torch.long))
        labels.append(own)
        positions.append(torch.arange(len(own)))
    return torch.cat(ids), torch.cat(labels), torch.cat(positions)


def _batch(ids: torch.Tensor, labels: torch.Tensor, positions: torch.Tensor) -> dict[str, Any]:
    # with a cache transformers would not tell samples by their positions
    return {"input_ids": ids, "labels": labels, "position_ids": positions, "use_cache": False}
