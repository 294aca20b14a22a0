"""AdamW: Adam whose weight decay is apart from its gradient (Loshchilov and Hutter, 2019).

Source: https://arxiv.org/abs/1711.05101; torch's, fused into one kernel where the device has one:
https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core import hookimpl
from luthier.plugins.optimizers.rules import WithMoments

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class AdamW(WithMoments):
    """AdamW in the precision of the weights: two moments for each of them."""

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
