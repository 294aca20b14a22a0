"""APOLLO: the gradient, scaled by what AdamW does to a random projection of it (Zhu et al., 2024).

Source: https://arxiv.org/abs/2412.05270. APOLLO-Mini is `{rank: 1, per: tensor, scale: 11.3}`. The
authors' package, apollo-torch, keeps objects in its state that only a pickle stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from luthier.core import Plugin, hookimpl
from luthier.plugins.optimizers.rules import (
    BASE_WEIGHTS,
    IN_BACKWARD,
    ON_DEVICE,
    WHOLE_MATRICES,
    Betas,
    Count,
    Positive,
    matrices_of,
)

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class Apollo(Plugin):
    """AdamW's scaling from moments of low rank: about the memory of plain gradient descent."""

    rank: Count = 256
    """The rank of the projection; 1 is APOLLO-Mini's."""
    update_interval: Count = 200
    """Steps after which another projection is drawn."""
    scale: Positive = 1.0
    """What updates are multiplied by; APOLLO-Mini takes the root of 128."""
    per: Literal["channel", "tensor"] = "channel"
    """Whether each channel of a matrix has a scale of its own, or all of it one."""
    growth: Positive = 1.01
    """How many times longer an update of a matrix may be than the last one."""
    targets: str | list[str] = "all"
    """Which layers are projected: `all` linear ones, `attention`, `mlp`, a type, a list of these
    and of names, or a regular expression; AdamW trains the rest."""
    layerwise: bool = False
    """Whether each parameter is stepped in the backward pass, so that no gradients are held."""
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
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return the optimizer; what is no target is trained by AdamW.

        Raises:
            BadModel: a target matches no layer.
        """
        from luthier.core.training import parameter_groups
        from luthier.plugins.optimizers.steps.apollo import Apollo as Scaled

        chosen = matrices_of(job, self.targets)

        def settings(name: str, parameter: torch.nn.Parameter) -> dict[str, Any]:  # noqa: ARG001
            return {"rank": self.rank if name in chosen else None}

        return Scaled(
            parameter_groups(job, settings), seed=job.run.training.seed, layerwise=self.layerwise,
            interval=self.update_interval, scale=self.scale, per=self.per, growth=self.growth,
            betas=self.betas, eps=self.eps,
        )  # fmt: skip
