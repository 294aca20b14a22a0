"""LoRA+: the second of LoRA's two matrices learns faster than the first (Hayou et al., 2024).

Source: https://arxiv.org/abs/2402.12354, section 4: the rate of B is that of A times a ratio well
above 1, since B begins at zero and A does not. AdamW else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import BadModel, Need, hookimpl
from luthier.plugins.optimizers.adamw import fused
from luthier.plugins.optimizers.rules import Positive, WithMoments

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class LoraPlus(WithMoments):
    """AdamW in which LoRA's second matrices have a higher learning rate than its first."""

    ratio: Annotated[float, Field(ge=1)] = 16.0
    """The learning rate of B divided by that of A, which is `training.learning_rate`."""
    embedding_rate: Positive = 1e-6
    """The learning rate of LoRA's matrices beside an embedding."""

    needs: ClassVar = (
        Need(
            "low-rank",
            "it tells apart the two matrices of each pair, and the tuner trains no pairs",
            "Choose `tuner: lora`, or `optimizer: adamw`",
        ),
    )

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return torch's AdamW, its groups by the two matrices.

        Raises:
            BadModel: the adapter has no second matrices.
        """
        import torch

        from luthier.core.training import parameter_groups

        groups = parameter_groups(job, self._settings)
        if not any(group["second"] for group in groups):
            raise BadModel(
                "the adapter has no second matrices (lora_B), whose learning rate LoRA+ raises. "
                "Choose `tuner: lora`, or `optimizer: adamw`."
            )
        for group in groups:
            if group.pop("second"):
                group["lr"] *= self.ratio
        return torch.optim.AdamW(groups, betas=self.betas, eps=self.eps, fused=fused(job))

    def _settings(self, name: str, parameter: torch.nn.Parameter) -> dict[str, Any]:  # noqa: ARG002
        if "lora_embedding_" in name:
            return {"lr": self.embedding_rate, "second": False}
        return {"second": "lora_B" in name}
