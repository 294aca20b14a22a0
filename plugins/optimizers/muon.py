"""Muon: matrices go along the orthogonal matrix next to their momentum (Jordan et al., 2024).

Source: https://kellerjordan.github.io/posts/muon, and for the scale of the update Liu et al., 2025
(https://arxiv.org/abs/2502.16982, section 2.2); torch's:
https://docs.pytorch.org/docs/stable/generated/torch.optim.Muon.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from luthier.core import hookimpl
from luthier.plugins.optimizers.adamw import fused
from luthier.plugins.optimizers.rules import (
    MATRICES,
    ON_DEVICE,
    WHOLE_MATRICES,
    Count,
    Decay,
    WithMoments,
    matrices_of,
    require_matrices,
)

if TYPE_CHECKING:
    import torch

    from luthier.core.model.layers import LayerMap
    from luthier.core.run.job import TrainingJob


class Muon(WithMoments):
    """Muon for matrices of linear layers, and AdamW for embeddings, norms, biases and stacks."""

    momentum: Decay = 0.95
    """How much of the mean of gradients is kept at each step."""
    nesterov: bool = True
    """Whether the gradient is added to the momentum once more."""
    iterations: Count = 5
    """Iterations of Newton and Schulz in a step."""
    adjust: Literal["adamw", "original"] = "adamw"
    """How updates are scaled: to the size of AdamW's, whose learning rate they then share, or by
    the root of a matrix's rows over its columns."""
    targets: str | list[str] = "all"
    """Which layers' matrices: `all` linear ones, `attention`, `mlp`, a type, a list of these and of
    names, or a regular expression."""

    refuses: ClassVar = (*WHOLE_MATRICES, *ON_DEVICE, *MATRICES)

    @hookimpl
    def check_layers(self, model: Any, layers: LayerMap) -> None:
        """Refuse targets that are no layers, or of which nothing is trained."""
        require_matrices(model, layers, self.targets)

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return torch's Muon and torch's AdamW as one.

        Raises:
            BadModel: a target matches no layer.
        """
        from luthier.core.training import parameter_groups
        from luthier.plugins.optimizers.steps.muon import MuonWithAdamW

        chosen = matrices_of(job, self.targets)

        def settings(name: str, parameter: torch.nn.Parameter) -> dict[str, Any]:
            return {"muon": name in chosen and parameter.ndim == 2}  # noqa: PLR2004

        return MuonWithAdamW(
            parameter_groups(job, settings),
            muon={
                "momentum": self.momentum,
                "nesterov": self.nesterov,
                "ns_steps": self.iterations,
                "adjust_lr_fn": "match_rms_adamw" if self.adjust == "adamw" else "original",
            },
            adamw={"betas": self.betas, "eps": self.eps, "fused": fused(job)},
        )
