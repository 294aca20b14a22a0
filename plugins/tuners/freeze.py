"""Freeze-tuning: some decoder layers are trained, and all else is left as it is.

Source: Houlsby et al., 2019 (https://arxiv.org/abs/1902.00751), section 3, where it is a baseline
(training the top layers); paper, section 2.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import Finding, hookimpl
from luthier.plugins.tuners.blocks import BlockTuner, parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luthier.core.model.layers import LayerMap
    from luthier.core.model.vocabulary import Vocabulary
    from luthier.plugins.tuners.blocks import Blocks


class Freeze(BlockTuner):
    """Train a few decoder layers, and freeze all others."""

    layers: int = 2
    """Decoder layers to train: the last so many; the first so many where it is negative."""
    modules: str | tuple[str, ...] | None = None
    """What is trained of them, as `targets` of other tuners: `attention`, a type such as
    `mlp-down`, `norm`, a list of these and of names, or a regular expression; all where it is not
    given."""
    besides: tuple[str, ...] = ()
    """What is trained besides, outside of the decoder layers, by type or name: `embedding`,
    `head`, `norm`."""

    traits: ClassVar = frozenset({"trains-base-weights"})
    serves: ClassVar = "training"

    def misfit(self, count: int) -> Finding | None:
        """Return what is wrong with `layers` for so many of them."""
        if 0 < abs(self.layers) <= count:
            return None
        said = f"`layers: {self.layers}` of freeze-tuning: the model has {count} decoder layers"
        remedy = f"Give a number from 1 to {count}, or a negative one for the first."
        return Finding("layers", said, remedy)

    @hookimpl
    def check_layers(self, model: Any, layers: LayerMap, vocabulary: Vocabulary) -> None:
        """Refuse what names no layer; freeze what is not trained, for those asked after it."""
        self.attach_adapter(model, layers, vocabulary)

    @hookimpl
    def attach_adapter(self, model: Any, layers: LayerMap, vocabulary: Vocabulary) -> Any:
        """Return the model, the chosen layers trainable, and the embedding where it has grown.

        Raises:
            BadModel: there are fewer layers, or a name matches none.
        """
        model.requires_grad_(requires_grad=False)
        blocks, trained = self._trained(model)
        if self.modules is None:  # with what is no layer, too
            for number in trained:
                blocks.modules[number].requires_grad_(requires_grad=True)
        # what is new to the vocabulary is noise until it is trained
        new = {"embedding", "head"} & set(layers.types.values()) if vocabulary.ids else ()
        for name in self._chosen(model, layers, new):
            for parameter in parameters_of(model, layers, name):
                parameter.requires_grad = True
        return model

    def _trained(self, model: Any) -> tuple[Blocks, range]:
        """Return the decoder layers, and the numbers of those to train."""
        blocks = self.decoder_blocks(model)
        count = len(blocks.modules)
        return blocks, range(count - self.layers, count) if self.layers > 0 else range(-self.layers)

    def _chosen(self, model: Any, layers: LayerMap, new: Iterable[str]) -> list[str]:
        """Return the full names of the layers to train, `new` of those outside among them.

        Raises:
            BadModel: there are fewer layers, or a name matches none.
        """
        blocks, trained = self._trained(model)
        inside = {name for name, _ in layers if blocks.number_of(name) in trained}
        modules = ".*" if self.modules is None else self.modules
        named = layers.resolve(modules, among=inside, norms=True)
        if words := [*self.besides, *new]:
            outside = {name for name, _ in layers if blocks.number_of(name) is None}
            named += layers.resolve(words, among=outside, norms=True)
        return named
