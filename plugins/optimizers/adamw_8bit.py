"""AdamW with moments of 8 bits, in blocks of 256 with a scale each (Dettmers et al., 2022).

Source: https://arxiv.org/abs/2110.02861; bitsandbytes, which computes it on GPUs and, slowly, on
CPUs: https://huggingface.co/docs/bitsandbytes/reference/optim/adamw. Moments of embeddings and of
tensors of less than 4,096 values stay in 32 bits, as its authors advise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import Finding, hookimpl
from luthier.core.model.layers import LayerType
from luthier.plugins.optimizers.rules import ON_DEVICE, WithMoments

if TYPE_CHECKING:
    import torch

    from luthier.core.device import Device
    from luthier.core.run.job import TrainingJob


class AdamW8bit(WithMoments):
    """AdamW with moments of 8 bits, which take 2 bytes of a weight in place of 8."""

    paged: bool = False
    """Whether a GPU that runs out of memory may move the moments to that of the CPU."""

    packages: ClassVar = ("bitsandbytes>=0.48",)
    extra: ClassVar = "bnb"
    refuses: ClassVar = ON_DEVICE

    @hookimpl
    def check_model(self, device: Device) -> Iterable[Finding]:
        """Tell of pages where there is no GPU to page from."""
        if self.paged and "device-gpu" not in device.traits:
            yield Finding("paged", f"there are no pages on {device}", "Leave it out.")

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return bitsandbytes' AdamW."""
        from luthier.core.training import parameter_groups
        from luthier.plugins.optimizers.steps.bitsandbytes import GroupedAdamW

        layers = job.opened.layers
        embeddings = set(layers.names_of(LayerType.EMBEDDING, LayerType.HEAD))

        def settings(name: str, parameter: torch.nn.Parameter) -> dict[str, Any]:  # noqa: ARG001
            return {"optim_bits": 32 if layers.layer_of(name) in embeddings else 8}

        return GroupedAdamW(
            parameter_groups(job, settings), betas=self.betas, eps=self.eps, paged=self.paged
        )
