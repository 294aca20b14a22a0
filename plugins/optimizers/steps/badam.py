"""BAdam: Adam on one block of parameters after another (Luo et al., 2024).

Source: https://arxiv.org/abs/2404.02827, algorithm 1.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from luthier.plugins.optimizers.steps.parameterwise import (
    Group,
    Parameterwise,
    State,
    adam_direction,
)


class BAdam(Parameterwise):
    """AdamW on one block for `interval` steps, its moments begun anew, then on another.

    A group says in `block` which one it is of, and counts in `steps` those of all blocks. Between
    `train()` and `eval()` the others are frozen: no gradient is made of them.
    """

    def __init__(self, groups: list[dict[str, Any]], *, seed: int, **settings: Any) -> None:
        """Hold the groups; `seed` is that of the order, where it is random."""
        super().__init__(groups, steps=0, **settings)
        self._blocks = 1 + max(group["block"] for group in groups)
        self._seed = seed

    def train(self) -> None:
        """Let gradients be made of the block whose turn it is, and of no other."""
        active = self.active()
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.requires_grad_(group["block"] == active)

    def eval(self) -> None:
        """Let gradients be made of all blocks."""
        for parameter in self._groups:
            parameter.requires_grad_(requires_grad=True)

    def active(self) -> int:
        """Return the block whose turn it is."""
        first = self.param_groups[0]
        turn = first["steps"] // first["interval"]
        return block_at(turn, self._blocks, first["order"], self._seed)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update the block whose turn it is; when it is over, forget its moments."""
        loss = super().step(closure)
        for group in self.param_groups:
            group["steps"] += 1
        if self.param_groups[0]["steps"] % self.param_groups[0]["interval"] == 0:
            self.state.clear()
        return loss

    def direction(self, gradient: Tensor, state: State, group: Group) -> Tensor:
        """Return Adam's direction."""
        return adam_direction(gradient, state, group)


def block_at(turn: int, blocks: int, order: str, seed: int) -> int:
    """Return the block of a turn, both from 0; each has one in every so many turns.

    Args:
        turn: how many turns have been.
        blocks: how many there are.
        order: `ascending`, `descending`, or `random`, another one in each round.
        seed: of the random order.
    """
    around, place = divmod(turn, blocks)
    if order == "random":
        generator = torch.Generator().manual_seed(seed + around)
        return int(torch.randperm(blocks, generator=generator)[place])
    return place if order == "ascending" else blocks - 1 - place
