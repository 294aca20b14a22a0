"""LOMO: gradient descent in the backward pass (Lv et al., 2023, https://arxiv.org/abs/2306.09782)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.plugins.optimizers.steps.parameterwise import Parameterwise, decay

if TYPE_CHECKING:
    import torch


class Lomo(Parameterwise):
    """Goes along the gradient, each value of which is clipped; it keeps no state (algorithm 1)."""

    def update(
        self,
        parameter: torch.Tensor,
        gradient: torch.Tensor,
        state: dict[str, Any],  # noqa: ARG002
        group: Mapping[str, Any],
    ) -> None:
        """Go along the clipped gradient."""
        bound = group["clip"]
        decay(parameter, group)
        parameter.add_(gradient.clamp(-bound, bound), alpha=-group["lr"])
