"""The decoder layers of a model, by number, and the parameters of a layer, by its name."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core import BadModel, Finding, Plugin, hookimpl
from luthier.core.model.evidence import decoder_layers

if TYPE_CHECKING:
    from torch import nn

    from luthier.core.model.layers import LayerMap
    from luthier.core.sections import ModelSection


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
        """Return the numbers of decoder layers from 0, of some that may count from the end."""
        count = len(self.modules)
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


class BlockTuner(Plugin, abc.ABC):
    """Base of those whose options are of decoder layers, of which a model has so many."""

    @abc.abstractmethod
    def misfit(self, count: int) -> Finding | None:
        """Return what is wrong with the options for a model of so many decoder layers."""

    @hookimpl
    def check_model(self, config: Mapping[str, Any], model: ModelSection) -> Iterable[Finding]:  # noqa: ARG002
        """Tell of options that the model has not the layers for."""
        count = decoder_layers(config)
        misfit = self.misfit(count) if count else None
        return [] if misfit is None else [misfit]

    def decoder_blocks(self, model: Any) -> Blocks:
        """Return the decoder layers of a model.

        Raises:
            BadModel: it holds them in no list, or there are too few for the options.
        """
        found = blocks_of(model)
        if misfit := self.misfit(len(found.modules)):
            raise BadModel(f"{misfit.problem}. {misfit.remedy}")
        return found


def parameters_of(model: Any, layers: LayerMap, name: str) -> list[nn.Parameter]:
    """Return the parameters of a layer: the one that it is, or those of its module."""
    if name in layers.parameters:
        return [model.get_parameter(layers.parameters[name])]
    return list(model.get_submodule(name).parameters())
