"""Lion: the sign of a mean of gradients (Chen et al., 2023, https://arxiv.org/abs/2302.06675)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from luthier.plugins.optimizers.steps.parameterwise import Parameterwise, decay


class Lion(Parameterwise):
    """Goes along sign(b1 m + (1 - b1) g), and keeps m = b2 m + (1 - b2) g (algorithm 2)."""

    def update(
        self,
        parameter: torch.Tensor,
        gradient: torch.Tensor,
        state: dict[str, Any],
        group: Mapping[str, Any],
    ) -> None:
        """Go one learning rate along the sign, in each value."""
        mean = state.setdefault("exp_avg", torch.zeros_like(gradient))
        first, second = group["betas"]
        decay(parameter, group)
        parameter.add_(mean.lerp(gradient, 1 - first).sign_(), alpha=-group["lr"])
        mean.lerp_(gradient, 1 - second)
