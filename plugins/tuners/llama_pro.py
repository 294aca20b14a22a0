"""LLaMA Pro: new decoder layers between the old ones, and only these are trained (Wu et al., 2024).

Source: https://arxiv.org/abs/2401.02415, section 3.2. A new layer is a copy of the one before it
whose output projections are zero, so that it hands on what it gets. What is saved is a model of the
same architecture with more layers.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import Finding, hookimpl
from luthier.plugins.tuners.blocks import BlockTuner, blocks_of

if TYPE_CHECKING:
    from luthier.core.model.opening import ModelSpec


class LlamaPro(BlockTuner):
    """Add decoder layers that begin as no change, and train these alone."""

    blocks: Annotated[int, Field(ge=1)] = 2
    """How many are added, evenly among the model's, whose number it divides."""

    traits: ClassVar = frozenset({"trains-base-weights", "adds-layers", "fixed-embedding"})
    serves: ClassVar = "training"

    def misfit(self, count: int) -> Finding | None:
        """Return what is wrong with `blocks` beside so many decoder layers."""
        if not count % self.blocks:
            return None
        possible = ", ".join(str(n) for n in range(1, count + 1) if not count % n)
        said = f"{self.blocks} new layers cannot be put evenly among {count}"
        return Finding("blocks", said, f"Give one of {possible}.")

    @hookimpl(wrapper=True)
    def outline_model(self) -> Generator[None, Any, Any]:
        """Return the outline with the new layers in it: others may name these.

        Raises:
            BadModel: its layers cannot be told apart, or not be put among them evenly.
        """
        outline = yield
        if outline is not None:
            from luthier.plugins.tuners.expansion import grow

            grow(outline, self.decoder_blocks(outline), self.blocks)
        return outline

    @hookimpl
    def check_layers(self, model: Any) -> None:
        """Refuse a model whose layers cannot be told apart; freeze all but the new ones."""
        self.decoder_blocks(model)
        self.attach_adapter(model)

    @hookimpl(wrapper=True)
    def load_model(self, model: ModelSpec) -> Generator[None, Any, Any]:
        """Return the model that was loaded, with the new layers in it.

        Raises:
            BadModel: its layers cannot be copied, or not be made to hand on what they get.
        """
        loaded = yield
        from luthier.plugins.tuners.expansion import expand

        expand(loaded, self.decoder_blocks(loaded), self.blocks, model.layers)
        return loaded

    @hookimpl
    def attach_adapter(self, model: Any) -> Any:
        """Return the model, the new layers trainable."""
        model.requires_grad_(requires_grad=False)
        blocks = blocks_of(model).modules
        group = len(blocks) // self.blocks
        for block in blocks[group - 1 :: group]:
            block.requires_grad_(requires_grad=True)
        return model
