"""Moments that are held in 8 bits between two steps, by bitsandbytes' blockwise quantization."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

BLOCK = 256
"""Values that share a scale (Dettmers et al., 2022, https://arxiv.org/abs/2110.02861)."""
SMALLEST = 4096
"""Tensors of fewer values stay as they are, as bitsandbytes leaves them."""


@contextmanager
def whole_moments(state: dict[str, Any], *, bits: int) -> Iterator[None]:
    """Hold `exp_avg` and `exp_avg_sq` of a state whole within, and in 8 bits again after it.

    Args:
        state: what is kept of one parameter.
        bits: 8 or 32; of 32 nothing is done.
    """
    if bits != 8:  # noqa: PLR2004 - the other is 32
        yield
        return
    from bitsandbytes.functional import (
        create_dynamic_map,
        dequantize_blockwise,
        quantize_blockwise,
    )

    codes: dict[str, Any] = {
        "exp_avg": create_dynamic_map(signed=True),  # type: ignore[no-untyped-call]
        "exp_avg_sq": create_dynamic_map(signed=False),  # type: ignore[no-untyped-call]
    }
    for key, code in codes.items():
        scale = state.pop(f"{key}_scale", None)
        if scale is not None:
            held = state[key]
            state[key] = dequantize_blockwise(
                held, absmax=scale, code=code.to(held.device), blocksize=BLOCK
            )
    yield
    for key, code in codes.items():
        whole = state[key]
        if whole.numel() >= SMALLEST:
            state[key], facts = quantize_blockwise(
                whole.float(), code=code.to(whole.device), blocksize=BLOCK
            )
            state[f"{key}_scale"] = facts.absmax
