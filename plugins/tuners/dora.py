"""DoRA: weight-decomposed low-rank adaptation (Liu et al., 2024).

Source: https://arxiv.org/abs/2402.09353, equation 5. The weight of a layer is its direction and the
length of each of its rows, m: y = m (W + s B A) / ||W + s B A|| x. LoRA moves the direction, and m
is trained beside it; the norm is taken for a constant in the backward pass (section 4.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.core import hookimpl
from luthier.plugins.tuners.low_rank import LowRank

if TYPE_CHECKING:
    from luthier.core.hooks import Phase, Undo


class Dora(LowRank):
    """Train two low-rank matrices and the length of each row beside each chosen linear layer."""

    def settings(self, model: Any, modules: list[str]) -> dict[str, Any]:  # noqa: ARG002
        """Return that PEFT's LoRA is to be DoRA."""
        return {"use_dora": True}

    def has_made(self, config: Mapping[str, Any]) -> bool:
        """Return whether an adapter of this config is one of DoRA."""
        return super().has_made(config) and bool(config.get("use_dora"))

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> Undo | None:
        """Hold the lengths in float32, whatever else is trained in: their steps are small."""
        for name, parameter in model.named_parameters() if phase == "adapted" else ():
            if "lora_magnitude_vector" in name:
                parameter.data = parameter.data.float()
        return None
