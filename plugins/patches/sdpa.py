"""SDPA: attention through torch's scaled_dot_product_attention.

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luthier.core import Plugin, Refusal, hookimpl

if TYPE_CHECKING:
    from luthier.core.model.loading import LoadPlan


class Sdpa(Plugin):
    """Compute attention with torch's fused kernels."""

    traits: ClassVar = frozenset({"attention-backend", "attention-masked"})
    refuses: ClassVar = (
        Refusal("attention-backend", "a model has one attention backend", "Leave one of them out"),
    )

    @hookimpl
    def plan_load(self, plan: LoadPlan) -> None:
        """Choose transformers' `sdpa`."""
        plan.attention = "sdpa"
