"""LLaMA Pro: new decoder layers between the old ones, and only these are trained (Wu et al., 2024).

Source: https://arxiv.org/abs/2401.02415, section 3.2. A new layer is a copy of the one before it
whose output projections are zero, so that it hands on what it gets. What is saved is a model of the
same architecture with more layers.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import BadModel, Plugin, hookimpl

if TYPE_CHECKING:
    from luthier.core.model.opening import ModelSpec
    from luthier.core.model.vocabulary import Vocabulary


class LlamaPro(Plugin):
    """Add decoder layers that begin as no change, and train these alone."""

    blocks: Annotated[int, Field(ge=1)] = 2
    """How many are added, evenly among the model's, whose number it divides."""

    traits: ClassVar = frozenset({"trains-base-weights", "adds-layers"})
    serves: ClassVar = "training"

    @hookimpl(wrapper=True)
    def load_model(self, model: ModelSpec) -> Generator[None, Any, Any]:
        """Return the model that was loaded, with the new layers in it.

        Raises:
            BadModel: its layers cannot be copied, or not be made to hand on what they get.
        """
        loaded = yield
        from luthier.plugins.tuners.expansion import expand

        expand(loaded, self.blocks, model.layers)
        return loaded

    @hookimpl
    def attach_adapter(self, model: Any, vocabulary: Vocabulary) -> Any:
        """Return the model, the new layers trainable.

        Raises:
            BadModel: it has tokens that are new to it.
        """
        from luthier.plugins.tuners.blocks import blocks_of

        if vocabulary.ids:
            raise BadModel(
                f"{vocabulary.tokens[0]!r} is new to the model, and llama-pro leaves its embedding "
                "as it begins. Add no tokens, or choose `tuner: lora`."
            )
        model.requires_grad_(requires_grad=False)
        blocks = blocks_of(model).modules
        group = len(blocks) // self.blocks
        for block in blocks[group - 1 :: group]:
            block.requires_grad_(requires_grad=True)
        return model
