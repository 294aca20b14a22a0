"""Flex attention: torch compiles a kernel for each kind of mask, and skips the blocks it hides.

Source: https://docs.pytorch.org/docs/stable/nn.attention.flex_attention.html
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from luthier.core import BadModel, Need, Plugin, Refusal, hookimpl

if TYPE_CHECKING:
    from luthier.core.model.loading import LoadPlan
    from luthier.core.model.opening import ModelSpec


class Flex(Plugin):
    """Train with torch's flex attention, which is fast where the mask is sparse, as in packs."""

    traits: ClassVar = frozenset({"attention-backend", "attention-masked", "attention-block-mask"})
    serves: ClassVar = "training"
    needs: ClassVar = (
        Need("device-gpu", "torch's flex attention has no backward pass on a CPU", "Leave it out"),
    )
    refuses: ClassVar = (
        Refusal("attention-backend", "a model has one attention backend", "Leave one of them out"),
    )

    @hookimpl
    def plan_load(self, plan: LoadPlan, model: ModelSpec, location: Path | str) -> None:
        """Choose transformers' `flex_attention`.

        Raises:
            BadModel: the model's code does not take it, or drops out attention weights.
        """
        from luthier.core.model.architectures import class_for, config_at

        config = config_at(location, model.revision)
        made = class_for(config)
        if made is not None and not getattr(made, "_supports_flex_attn", False):
            raise BadModel(f"{made.__name__} does not take flex attention. Leave flex out.")
        dropout = getattr(config.get_text_config(), "attention_dropout", 0.0)
        if dropout:
            raise BadModel(
                f"the model drops out {dropout:.0%} of its attention weights in training, which "
                "flex attention cannot. Leave flex out."
            )
        plan.attention = "flex_attention"
