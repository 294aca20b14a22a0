"""Adam-mini: one second moment for a block of weights (Zhang et al., 2024).

Source: https://arxiv.org/abs/2406.16793, algorithms 1 and 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from luthier.plugins.optimizers.steps.parameterwise import Group, Parameterwise, State


class AdamMini(Parameterwise):
    """AdamW whose second moment is the mean of the squared gradients of a block.

    A group says in `rows` how many rows of a matrix are a block, and None where all of it is one;
    and in `transposed` whether its rows are columns.
    """

    def direction(self, gradient: Tensor, state: State, group: Group) -> Tensor:
        """Return the first moment, over the root of the second one of the block."""
        turned = gradient.mT if group["transposed"] else gradient
        blocks = turned[..., 0].numel() // group["rows"] if group["rows"] else 1
        squares_B = turned.float().square().reshape(blocks, -1).mean(1)
        if "exp_avg" not in state:
            state["exp_avg"] = torch.zeros_like(gradient)
            state["exp_avg_sq"] = torch.zeros_like(squares_B)
        state["step"] = state.get("step", 0) + 1
        first, second = group["betas"]
        mean, square_B = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(gradient, 1 - first)
        square_B.lerp_(squares_B, 1 - second)
        root_B = (square_B / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
        scale_B = (1 / (1 - first ** state["step"]) / root_B).to(gradient.dtype)
        if group["rows"]:
            scale_B = scale_B.repeat_interleave(group["rows"]).reshape(*turned.shape[:-1], 1)
        direction: Tensor = mean * (scale_B.mT if group["transposed"] else scale_B)
        return direction
