"""AdamW: Adam whose weight decay is apart from its gradient (Loshchilov and Hutter, 2019).

Source: https://arxiv.org/abs/1711.05101; torch's, fused into one kernel where the device has one:
https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luthier.core import Plugin, hookimpl
from luthier.plugins.optimizers.rules import Betas, Positive

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class AdamW(Plugin):
    """AdamW in the precision of the weights: two moments for each of them."""

    betas: Betas = (0.9, 0.999)
    """How much of the mean of gradients, and of that of their squares, is kept at each step."""
    eps: Positive = 1e-8
    """What is added to the root of the second moment."""

    serves: ClassVar = "training"

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return torch's AdamW."""
        import torch

        from luthier.core.training import parameter_groups

        return torch.optim.AdamW(
            parameter_groups(job), betas=self.betas, eps=self.eps, fused=fused(job)
        )


def fused(job: TrainingJob) -> bool:
    """Return whether torch has a fused kernel of AdamW for all that is trained.

    Source: torch.utils._foreach_utils, which gives the devices to torch itself alone.
    """
    trained = [p for p in job.opened.model.parameters() if p.requires_grad]
    return all(p.device.type in {"cpu", "cuda", "mps", "xpu"} for p in trained)
