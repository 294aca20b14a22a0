"""GaLore: Adam in a subspace that the gradient spans (Zhao et al., 2024, https://arxiv.org/abs/2403.03507)."""

from __future__ import annotations

import torch
from torch import Tensor

from luthier.plugins.optimizers.steps.moments import whole_moments
from luthier.plugins.optimizers.steps.parameterwise import (
    Group,
    Parameterwise,
    State,
    adam_direction,
)


class GaLore(Parameterwise):
    """AdamW; a group with a `rank` is projected (algorithm 2).

    G = gradient; every `interval` steps P and Q are the first singular vectors of G. With
    R = P'G (or GQ, or P'GQ) and Adam's direction N of R, the weights go along scale * PN (NQ',
    PNQ'). Of `bits: 8` a group that is `whole` has moments of float32, where it has no `rank`.
    """

    def direction(self, gradient: Tensor, state: State, group: Group) -> Tensor:
        """Return Adam's direction, within the subspace where there is one."""
        projected = gradient
        if group["rank"] is not None:
            if state.get("step", 0) % group["interval"] == 0:
                state |= bases(gradient, group["rank"], group["side"])
            projected = into(gradient, state)
        if group["bits"] == 8:  # noqa: PLR2004 - the other is 32
            projected = projected.float()  # as bitsandbytes computes, whatever the weights are
        whole = group["rank"] is None and group.get("whole", False)
        with whole_moments(state, bits=32 if whole else group["bits"]):
            direction = adam_direction(projected, state, group).to(gradient.dtype)
        return direction if group["rank"] is None else out_of(direction, state) * group["scale"]


def bases(gradient: Tensor, rank: int, side: str) -> dict[str, Tensor]:
    """Return the first singular vectors of a gradient, `left` (m, r) and `right` (n, r).

    Args:
        gradient: of shape (..., m, n); each matrix of the leading axes has its own.
        rank: r; at most the smaller of m and n is taken.
        side: `shorter` keeps that of the shorter side, `longer` the other, `left`, `right` or
            `both` as they say. A square has its shorter side at the left (paper, section 3.3).
    """
    rows, columns = gradient.shape[-2:]
    left, _, right = torch.linalg.svd(gradient.float(), full_matrices=False)
    if side in {"shorter", "longer"}:
        side = "left" if (rows <= columns) == (side == "shorter") else "right"
    found = {"left": left[..., :rank], "right": right.mH[..., :rank]}
    return {
        key: basis.to(gradient.dtype).contiguous()
        for key, basis in found.items()
        if side in {key, "both"}
    }


def into(gradient: Tensor, state: State) -> Tensor:
    """Return a gradient (..., m, n) in the coordinates of its bases."""
    if "left" in state:
        gradient = state["left"].mT @ gradient
    return gradient @ state["right"] if "right" in state else gradient


def out_of(direction: Tensor, state: State) -> Tensor:
    """Return what has those coordinates, of shape (..., m, n)."""
    if "left" in state:
        direction = state["left"] @ direction
    return direction @ state["right"].mT if "right" in state else direction
