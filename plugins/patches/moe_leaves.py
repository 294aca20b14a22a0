"""Leaves for mixtures of experts: ZeRO-3 gathers the weights of such a block all at once.

ZeRO-3 gathers weights as they are used, in an order that all processes have to share. Which experts
are used differs from process to process, so that without this they would wait for each other.

Source: https://deepspeed.readthedocs.io/en/latest/zero3.html (deepspeed.utils.set_z3_leaf_modules).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadModel, Plugin, hookimpl
from luthier.core.model.layer_types import LayerType

if TYPE_CHECKING:
    from luthier.core.hooks import Phase, Undo
    from luthier.core.model.layers import LayerMap

logger = logging.getLogger(__name__)


class MoeLeaves(Plugin):
    """Have DeepSpeed's ZeRO-3 gather each block of experts as a whole."""

    packages: ClassVar = ("deepspeed>=0.18",)
    extra: ClassVar = "deepspeed"
    serves: ClassVar = "training"

    @hookimpl
    def patch_model(self, model: Any, layers: LayerMap, phase: Phase) -> Undo | None:
        """Mark the blocks of experts as leaves.

        Raises:
            BadModel: the model has none.
        """
        if phase == "adapted":
            return None
        from deepspeed.utils import set_z3_leaf_modules, unset_z3_leaf_modules
        from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

        names = blocks_of(layers)
        if not names:
            raise BadModel(f"{type(model).__name__} has no block of experts. Leave moe-leaves out.")
        if not is_deepspeed_zero3_enabled():  # type: ignore[no-untyped-call]
            logger.warning("moe-leaves does nothing here: the weights are not sharded by ZeRO-3")
        classes = list({type(model.get_submodule(name)) for name in names})
        set_z3_leaf_modules(model, classes)

        def undo() -> None:
            unset_z3_leaf_modules(model, classes)

        return undo


def blocks_of(layers: LayerMap) -> list[str]:
    """Return the names of the modules that hold experts and their router, the smallest that do.

    Args:
        layers: the type of each layer of the model.
    """
    routed = {holder for name in layers.names_of(LayerType.ROUTER) for holder in _holders(name)}
    experts = layers.names_of(*_EXPERTS)
    blocks = (next(filter(routed.__contains__, _holders(name)), "") for name in experts)
    return [name for name in dict.fromkeys(blocks) if name]


_EXPERTS = tuple(kind for kind in LayerType if kind.value.startswith("expert"))


def _holders(name: str) -> list[str]:
    """Return the names of the modules around a layer, the innermost first."""
    steps = name.split(".")
    return [".".join(steps[:count]) for count in range(len(steps) - 1, 0, -1)]
