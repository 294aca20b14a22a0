"""SDPA: attention through torch's scaled_dot_product_attention.

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import Finding, Plugin, Refusal, hookimpl
from luthier.core.model.attention import WITHOUT_SDPA

if TYPE_CHECKING:
    from luthier.core.model.loading import LoadPlan


class Sdpa(Plugin):
    """Compute attention with torch's fused kernels."""

    traits: ClassVar = frozenset({"attention-backend", "attention-masked"})
    refuses: ClassVar = (
        Refusal("attention-backend", "a model has one attention backend", "Leave one of them out"),
    )

    @hookimpl
    def check_model(self, config: Mapping[str, Any]) -> Iterable[Finding]:
        """Tell of a model that is known not to take it; of others, core does where they load."""
        if config.get("model_type") in WITHOUT_SDPA:
            said = f"models of the type {config['model_type']} compute attention as SDPA cannot"
            yield Finding("", said, "Choose `eager`, or name no backend.")

    @hookimpl
    def plan_load(self, plan: LoadPlan) -> None:
        """Choose transformers' `sdpa`."""
        plan.attention = "sdpa"
