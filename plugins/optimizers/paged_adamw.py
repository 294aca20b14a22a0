"""AdamW whose moments leave a GPU page by page when memory is short (Dettmers et al., 2023).

Source: QLoRA, https://arxiv.org/abs/2305.14314, section 3, "Paged Optimizers"; bitsandbytes:
https://huggingface.co/docs/bitsandbytes/explanations/optimizers#paged-optimizers
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luthier.core import Need, hookimpl
from luthier.plugins.optimizers.rules import ON_DEVICE, PLAIN, WithMoments

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class PagedAdamW(WithMoments):
    """AdamW with moments of 32 bits, in memory that a GPU and the CPU share."""

    packages: ClassVar = ("bitsandbytes>=0.48",)
    extra: ClassVar = "bnb"
    refuses: ClassVar = ON_DEVICE
    needs: ClassVar = (Need("device-gpu", "pages move between a GPU and the CPU", PLAIN),)

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return bitsandbytes' AdamW, paged."""
        from luthier.core.training import parameter_groups
        from luthier.plugins.optimizers.steps.bitsandbytes import GroupedAdamW

        return GroupedAdamW(
            parameter_groups(job, lambda *_: {"optim_bits": 32}),
            betas=self.betas, eps=self.eps, paged=True,
        )  # fmt: skip
