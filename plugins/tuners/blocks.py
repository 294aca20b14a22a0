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
    """Return the decoder layers of a model: a list of as many modules as its config tells.

    Of several it is the nearest to the embedding: others are those of an encoder of images.

    Raises:
        BadModel: there is none, or each layer is parted among several.
    """
    count = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    lists = _lists(model, count) if count else {}
    embedding = model.get_input_embeddings()
    at = next((name for name, one in model.named_modules() if one is embedding), "")
    if not lists:
        what = f"its {count} decoder layers in no list" if count else "no decoder layers by number"
        raise BadModel(f"{type(model).__name__} holds {what}, {APART}")
    name = min(lists, key=lambda one: (-_steps_shared(one, at), one.count(".")))
    parent = name.rpartition(".")[0]
    beside = [one for one in lists if one.rpartition(".")[0] == parent and _multiplies(lists[one])]
    if len(beside) > 1:
        shown = " and ".join(beside)
        raise BadModel(f"{type(model).__name__} parts its decoder layers among {shown}, {APART}")
    return Blocks(name, lists[name])


APART = (
    "so they cannot be told apart. Choose a tuner that names layers by type, such as `lora`, "
    "without `layers`."
)


def _lists(model: Any, count: int) -> dict[str, nn.ModuleList]:
    """Return the lists of so many modules, by name."""
    from torch import nn

    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == count
    }


def _steps_shared(name: str, other: str) -> int:
    """Return how many steps from the model on two names have in common."""
    pairs = [*zip(name.split("."), other.split("."), strict=False)]
    return next((n for n, (one, two) in enumerate(pairs) if one != two), len(pairs))


def _multiplies(modules: nn.ModuleList) -> bool:
    """Return whether a list holds weights that multiply, as those of no norm do."""
    return any(parameter.ndim > 1 for parameter in modules.parameters())


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
