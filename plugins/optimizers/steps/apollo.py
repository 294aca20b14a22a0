"""APOLLO: the gradient, scaled by what Adam does to its random projection (Zhu et al., 2024).

Source: https://arxiv.org/abs/2412.05270, algorithm 1; APOLLO-Mini, section 4.2.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from luthier.plugins.optimizers.steps.parameterwise import (
    Group,
    Parameterwise,
    State,
    adam_direction,
)

TINY = 1e-8
"""What keeps a norm of zero from being divided by."""


class Apollo(Parameterwise):
    """AdamW; of a group with a `rank`, the gradient itself, scaled.

    R = PG with P of N(0, 1/rank), along the shorter side; N is Adam's direction of R. A channel, a
    line across the shorter side, is scaled by |N| / |R| of its own, or all of it by that of the
    whole; then by `scale`. The norm of what results grows by `growth` at most.
    """

    def __init__(self, groups: list[dict[str, Any]], *, seed: int, **settings: Any) -> None:
        """Hold the groups.

        Args:
            groups: what `parameter_groups` gave.
            seed: of the projections; each parameter draws its own.
            settings: as for `Parameterwise`.
        """
        super().__init__(groups, **settings)
        for number, parameter in enumerate(self._groups):
            self.state[parameter]["seed"] = seed + number

    def direction(self, gradient: Tensor, state: State, group: Group) -> Tensor:
        """Return the scaled gradient, or Adam's direction where there is no rank."""
        if group["rank"] is None:
            return adam_direction(gradient, state, group)
        wide = gradient.shape[-2] <= gradient.shape[-1]
        lying = gradient if wide else gradient.mT  # (..., short, long)
        # only the seed is kept: P is drawn anew at each step
        drawn = state["seed"] + SPREAD * (state.get("step", 0) // group["interval"])
        projected = projection(drawn, group["rank"], lying) @ lying
        direction = adam_direction(projected, state, group)
        axes: Any = (-2,) if group["per"] == "channel" else (-2, -1)
        scales = direction.norm(dim=axes, keepdim=True) / (
            projected.norm(dim=axes, keepdim=True) + TINY
        )
        scaled: Tensor = group["scale"] * (lying * scales)
        limited = limit(scaled, state, group["growth"])
        return limited if wide else limited.mT


SPREAD = 1_000_003
"""What the seeds of two drawings are apart, so that parameters do not share any."""


def projection(seed: int, rank: int, lying: Tensor) -> Tensor:
    """Return a matrix of shape (rank, m), each value of N(0, 1/rank), for what is (..., m, n)."""
    generator = torch.Generator(lying.device).manual_seed(seed % 2**63)
    drawn = torch.randn(
        rank, lying.shape[-2], generator=generator, device=lying.device, dtype=torch.float32
    )
    return (drawn / math.sqrt(rank)).to(lying.dtype)


def limit(scaled: Tensor, state: dict[str, Any], growth: float) -> Tensor:
    """Return an update whose norm is at most `growth` times that of the last one.

    Source: the norm-growth limiter of Fira (Chen et al., 2024, https://arxiv.org/abs/2410.01623).
    """
    norm = scaled.norm()
    if "norm" in state:
        factor = torch.clamp(growth * state["norm"] / (norm + TINY), max=1.0)
        scaled, norm = scaled * factor, norm * factor
    state["norm"] = norm
    return scaled
