"""Lion: the sign of a mean of gradients (Chen et al., 2023, https://arxiv.org/abs/2302.06675)."""

from __future__ import annotations

import torch
from torch import Tensor

from luthier.plugins.optimizers.steps.parameterwise import Group, Parameterwise, State


class Lion(Parameterwise):
    """Goes along sign(b1 m + (1 - b1) g), and keeps m = b2 m + (1 - b2) g (algorithm 2)."""

    def direction(self, gradient: Tensor, state: State, group: Group) -> Tensor:
        """Return the sign, in each value."""
        if "exp_avg" not in state:
            state["exp_avg"] = torch.zeros_like(gradient)
        mean = state["exp_avg"]
        first, second = group["betas"]
        direction: Tensor = mean.lerp(gradient, 1 - first).sign_()
        mean.lerp_(gradient, 1 - second)
        return direction
