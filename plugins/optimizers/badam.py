"""BAdam: AdamW on one block of the model at a time (Luo et al., 2024).

Source: https://arxiv.org/abs/2404.02827, algorithm 1. A block is a layer of the model, or one of
the modules around them (embedding, last norm, head). Gradients and moments are held of one block.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from luthier.core import hookimpl
from luthier.plugins.optimizers.rules import (
    BASE_WEIGHTS,
    ON_DEVICE,
    WHOLE_MATRICES,
    Count,
    WithMoments,
)

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class BAdam(WithMoments):
    """AdamW on one block of the model after another."""

    update_interval: Count = 100
    """Steps that a block is trained for before the next one's turn."""
    order: Literal["random", "ascending", "descending"] = "random"
    """In which order blocks have their turns; `random` is another one in each round."""

    traits: ClassVar = frozenset({"one-process"})
    refuses: ClassVar = (*WHOLE_MATRICES, *ON_DEVICE)
    needs: ClassVar = BASE_WEIGHTS

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return the optimizer; its groups are the blocks."""
        from luthier.core.training import parameter_groups
        from luthier.plugins.optimizers.steps.badam import BAdam as Blockwise

        numbers: dict[str, int] = {}

        def settings(name: str, parameter: torch.nn.Parameter) -> dict[str, Any]:  # noqa: ARG001
            return {"block": numbers.setdefault(block_of(name), len(numbers))}

        return Blockwise(
            parameter_groups(job, settings), seed=job.run.training.seed,
            interval=self.update_interval, order=self.order, betas=self.betas, eps=self.eps,
        )  # fmt: skip


def block_of(name: str) -> str:
    """Return the block of a parameter: `model.layers.3`, or its module outside all layers."""
    layer = re.match(r"(.*?\.\d+)\.", name)
    return layer[1] if layer else name.rpartition(".")[0]
