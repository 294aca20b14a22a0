"""The decoder layers of a model, by number, and the parameters of a layer, by its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core import BadModel

if TYPE_CHECKING:
    from torch import nn

    from luthier.core.model.layers import LayerMap


class Blocks(NamedTuple):
    """The decoder layers of a model."""

    name: str
    """The full name of the list that holds them."""
    modules: nn.ModuleList

    def number_of(self, layer: str) -> int | None:
        """Return the number of the decoder layer that a name lies in, from 0; None for none."""
        within = layer.removeprefix(f"{self.name}.")
        return None if within == layer else int(within.partition(".")[0])

    def chosen(self, numbers: Iterable[int]) -> set[int]:
        """Return the numbers of decoder layers from 0, of some that may count from the end.

        Raises:
            BadModel: there is no such layer.
        """
        count = len(self.modules)
        for number in numbers:
            if not -count <= number < count:
                raise BadModel(
                    f"there is no decoder layer {number}: the model has {count}, from 0 to "
                    f"{count - 1}. Mend the `layers` of the tuner."
                )
        return {number % count for number in numbers}


def blocks_of(model: Any) -> Blocks:
    """Return the decoder layers of a model: the first list of as many modules as its config tells.

    Raises:
        BadModel: there is none.
    """
    from torch import nn

    count = model.config.get_text_config().num_hidden_layers
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return Blocks(name, module)
    raise BadModel(
        f"{type(model).__name__} holds its {count} decoder layers in no list, so they cannot be "
        "told apart. Choose a tuner that names layers by type, such as `lora`."
    )


def parameters_of(model: Any, layers: LayerMap, name: str) -> list[nn.Parameter]:
    """Return the parameters of a layer: the one that it is, or those of its module."""
    if name in layers.parameters:
        return [model.get_parameter(layers.parameters[name])]
    return list(model.get_submodule(name).parameters())
