"""LOMO: gradient descent in the backward pass (Lv et al., 2023, https://arxiv.org/abs/2306.09782)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.plugins.optimizers.steps.parameterwise import Group, Parameterwise, State

if TYPE_CHECKING:
    from torch import Tensor


class Lomo(Parameterwise):
    """Goes along the gradient, each value of which is clipped; it keeps no state (algorithm 1)."""

    def direction(self, gradient: Tensor, state: State, group: Group) -> Tensor:  # noqa: ARG002
        """Return the clipped gradient."""
        return gradient.clamp(-group["clip"], group["clip"])
