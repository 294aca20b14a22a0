"""Gradient checkpointing: each layer keeps its input alone, and is computed again going backward.

Source: Chen et al., 2016, https://arxiv.org/abs/1604.06174; torch's form of it that is not
reentrant, https://docs.pytorch.org/docs/stable/checkpoint.html, through transformers' own switch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadModel, Finding, Plugin, Refusal, hookimpl
from luthier.core.model.unwrapping import unwrapped

if TYPE_CHECKING:
    from luthier.core.hooks import Phase, Undo

WITHOUT = frozenset(
    {
        "cpmant", "ctrl", "gpt_neox_japanese", "jetmoe", "openai-gpt", "reformer", "xlm", "xlnet",
    }
)  # fmt: skip
"""Model types of transformers whose layers cannot be computed again by its switch."""
SWITCH = re.compile(r"\bsupports_gradient_checkpointing\s*=\s*True\b")
"""What the code of a model says whose layers can be computed again by transformers' switch."""
REMEDY = "Leave it out: `patches: [~gradient-checkpointing]`."


class GradientCheckpointing(Plugin):
    """Keep of each layer its input alone, and compute the rest again in the backward pass."""

    traits: ClassVar = frozenset({"recomputes-layers"})
    serves: ClassVar = "training"
    refuses: ClassVar = (
        Refusal("recomputes-layers", "layers are computed again in one way", "Leave one out"),
    )
    no_default: ClassVar = (
        Refusal("device-cpu", "it costs time, and memory is seldom short on a CPU", "Name it"),
    )

    @hookimpl
    def check_model(self, config: Mapping[str, Any], folder: Path) -> Iterable[Finding]:
        """Tell of a model that is known not to be able to, or whose own code says nothing of it."""
        if config.get("model_type") in WITHOUT:
            said = f"models of the type {config['model_type']} cannot compute their layers again"
            yield Finding("", said, REMEDY)
        elif "auto_map" in config and _says_nothing(folder):
            said = (
                "the code that comes with the model does not say that it can compute layers again"
            )
            yield Finding("", said, "Name it in `patches` to have it tried", certain=False)

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> Undo | None:
        """Switch it on, when the adapter is there.

        Raises:
            BadModel: the model's code has no switch for it.
        """
        if phase == "built":
            return None
        base = unwrapped(model)
        # the older name is that of transformers before 5.23
        new = hasattr(base, "activation_checkpointing_enable")
        switch = "activation_checkpointing" if new else "gradient_checkpointing"
        try:
            getattr(base, f"{switch}_enable")({"use_reentrant": False})
        except ValueError as fault:
            said = f"{type(base).__name__} cannot compute its layers again: {fault}"
            raise BadModel(f"{said} {REMEDY}") from fault

        def undo() -> None:
            getattr(base, f"{switch}_disable")()
            base.disable_input_require_grads()

        return undo


def _says_nothing(folder: Path) -> bool:
    """Whether code comes with a model, and has no word of the switch; it may inherit it."""
    files = list(folder.glob("*.py"))
    return bool(files) and not any(
        SWITCH.search(file.read_text(encoding="utf-8", errors="replace")) for file in files
    )
