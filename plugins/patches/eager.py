"""Eager attention: the model's own plain matrix products and softmax, the reference of them all.

Source: https://huggingface.co/docs/transformers/attention_interface
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luthier.core import Plugin, Refusal, hookimpl

if TYPE_CHECKING:
    from luthier.core.model.loading import LoadPlan


class Eager(Plugin):
    """Compute attention with plain matrix products; slow, and able to return its weights."""

    traits: ClassVar = frozenset({"attention-backend", "attention-masked", "attention-unwrapped"})
    refuses: ClassVar = (
        Refusal("attention-backend", "a model has one attention backend", "Leave one of them out"),
        Refusal(
            "attention-wrapper",
            "eager attention lies inside each model's own code and cannot be wrapped",
            "Leave `eager` out",
        ),
    )

    @hookimpl
    def plan_load(self, plan: LoadPlan) -> None:
        """Choose transformers' `eager`."""
        plan.attention = "eager"
