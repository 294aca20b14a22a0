"""GaLore: AdamW in a subspace of low rank that is taken from the gradient (Zhao et al., 2024).

Source: https://arxiv.org/abs/2403.03507. The authors' package, galore-torch, keeps objects in its
state that only a pickle stores, and has had no release since its first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from luthier.core import Finding, Plugin, hookimpl
from luthier.plugins.optimizers.rules import (
    BASE_WEIGHTS,
    IN_BACKWARD,
    ON_DEVICE,
    WHOLE_MATRICES,
    Betas,
    Count,
    Positive,
    eight_bits,
    matrices_of,
)

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class GaLore(Plugin):
    """AdamW whose moments are those of a gradient of low rank."""

    rank: Count = 128
    """The rank of the subspace."""
    update_interval: Count = 200
    """Steps after which the subspace is taken anew, by a singular value decomposition."""
    scale: Positive = 0.25
    """What an update is multiplied by when it leaves the subspace."""
    side: Literal["shorter", "longer", "left", "right", "both"] = "shorter"
    """Which sides of a matrix are projected."""
    targets: str | list[str] = "all"
    """Which layers are projected: `all` linear ones, `attention`, `mlp`, a type, a list of these
    and of names, or a regular expression; AdamW trains the rest."""
    layerwise: bool = False
    """Whether each parameter is stepped in the backward pass, so that no gradients are held."""
    bits: Literal[8, 32] = 32
    """How moments are held: whole, or in 8 bits by bitsandbytes."""
    betas: Betas = (0.9, 0.999)
    """How much of the mean of gradients, and of that of their squares, is kept at each step."""
    eps: Positive = 1e-8
    """What is added to the root of the second moment."""

    serves: ClassVar = "training"
    refuses: ClassVar = (*WHOLE_MATRICES, *ON_DEVICE)
    needs: ClassVar = BASE_WEIGHTS

    def traits_of_options(self) -> frozenset[str]:
        """Return what comes with stepping in the backward pass."""
        return IN_BACKWARD if self.layerwise else frozenset()

    @hookimpl
    def check_model(self) -> Iterable[Finding]:
        """Tell of moments of 8 bits without bitsandbytes."""
        return eight_bits(self.bits)

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return AdamW, in a subspace where layers are targets.

        Raises:
            BadModel: a target matches no layer.
        """
        from luthier.core.training import parameter_groups
        from luthier.plugins.optimizers.steps.galore import GaLore as Projected

        chosen = matrices_of(job, self.targets)

        def settings(name: str, parameter: torch.nn.Parameter) -> dict[str, Any]:  # noqa: ARG001
            return {"rank": self.rank if name in chosen else None}

        return Projected(
            parameter_groups(job, settings), layerwise=self.layerwise, side=self.side,
            scale=self.scale, interval=self.update_interval, bits=self.bits,
            betas=self.betas, eps=self.eps,
        )  # fmt: skip
