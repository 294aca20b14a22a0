"""What tuners of PEFT share: a config, from options and layers, is all that each one says."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadModel, Finding, Plugin, hookimpl
from luthier.core.model.adapters import adapter_config_of
from luthier.plugins.tuners.blocks import BlockTuner

if TYPE_CHECKING:
    from torch import nn

    from luthier.core.model.layers import LayerMap
    from luthier.core.model.vocabulary import Vocabulary
    from luthier.core.sections import ModelSection


CAUSAL = "CAUSAL_LM"
OTHER_KIND = "holds an adapter of another kind"
NAME_ITS_TUNER = (
    "Name the tuner that made it, or lay a new one on it: `model.continue_adapter: false`."
)


class PeftTuner(Plugin, abc.ABC):
    """Base of the tuners that PEFT holds. A subclass has `method`, and gives a config."""

    method: ClassVar[str]
    """PEFT's own name of it, as `peft_type` of an adapter_config.json has it."""
    scales: ClassVar[frozenset[str]] = frozenset()
    """PEFT's names of parameters that multiply and begin at 1, so that no weight decay is for them;
    it holds such vectors as matrices of one row or column."""

    traits: ClassVar = frozenset({"adapter", "continues-adapter", "fixed-embedding"})
    serves: ClassVar = "training"

    @abc.abstractmethod
    def config_for(self, model: Any, layers: LayerMap, vocabulary: Vocabulary) -> Any:
        """Return PEFT's config of it for a model.

        Raises:
            BadModel: a target matches no layer.
        """

    @hookimpl
    def check_model(self, config: Mapping[str, Any], model: ModelSection) -> Iterable[Finding]:  # noqa: ARG002
        """Tell of an adapter to go on with that another tuner made."""
        goes_on = "continues-adapter" in self.traits and model.continue_adapter
        for folder in model.adapters[-1:] if goes_on else ():
            found = adapter_config_of(Path(folder))
            if found and not self.has_made(found):
                said = f"{folder} {OTHER_KIND} ({found.get('peft_type')})"
                yield Finding("", said, NAME_ITS_TUNER)

    @hookimpl
    def check_layers(self, model: Any, layers: LayerMap, vocabulary: Vocabulary) -> None:
        """Refuse what names no layer, and what PEFT cannot lie beside."""
        self.config_for(model, layers, vocabulary)

    @hookimpl
    def attach_adapter(
        self, model: Any, layers: LayerMap, vocabulary: Vocabulary, adapter: Path | None
    ) -> nn.Module | None:
        """Return the model wrapped by PEFT, what it adds trainable and all else frozen.

        Raises:
            BadModel: PEFT cannot lay it on this model, or the adapter is of another kind.
        """
        if adapter is None:
            adapted = self._laid(model, layers, vocabulary)
        else:
            adapted = self._continued(model, adapter, vocabulary)
        from luthier.core.training.groups import NO_DECAY

        for name, parameter in adapted.named_parameters():
            if not self.scales.isdisjoint(name.split(".")):
                setattr(parameter, NO_DECAY, True)
        return adapted

    def _laid(self, model: Any, layers: LayerMap, vocabulary: Vocabulary) -> nn.Module:
        """Return the model with a new adapter.

        Raises:
            BadModel: PEFT cannot lay it on this model.
        """
        from peft import get_peft_model

        from luthier.core.model.adapters import quiet_peft

        with quiet_peft():
            config = self.config_for(model, layers, vocabulary)
            try:
                adapted: nn.Module = get_peft_model(model, config)
            except (ValueError, TypeError) as fault:
                said = " ".join(str(fault).split()).rstrip(".")
                raise BadModel(
                    f"PEFT cannot lay {self.method} on this model: {said}. "
                    f"Choose other options of the tuner, or `tuner: lora`."
                ) from fault
        return adapted

    def _continued(self, model: Any, adapter: Path, vocabulary: Vocabulary) -> nn.Module:
        """Return the model with a saved adapter, which has its own rank, targets and the like.

        Raises:
            BadModel: it is of another kind, or would leave the rows of new tokens as they are.
        """
        from luthier.core.model.adapters import with_adapter

        new = vocabulary.modules(model)
        adapted: Any = with_adapter(model, adapter, trained=True)
        (config,) = adapted.peft_config.values()
        if not self.has_made(config.to_dict()):
            raise BadModel(f"{adapter} {OTHER_KIND} ({config.peft_type.value}). {NAME_ITS_TUNER}")
        for name, ids in new.items():
            if not _trains_rows(config, name, ids):
                raise BadModel(
                    f"{vocabulary.tokens[0]!r} and other such tokens are new to the model, and the "
                    f"adapter in {adapter} trains no rows of {name} for them. Lay a new one on it, "
                    "`model.continue_adapter: false`, or add no tokens."
                )
        return adapted  # type: ignore[no-any-return]

    def has_made(self, config: Mapping[str, Any]) -> bool:
        """Return whether an adapter of this config, as PEFT writes it, is of this kind."""
        return bool(config.get("peft_type") == self.method)


def _trains_rows(config: Any, name: str, ids: list[int]) -> bool:
    """Return whether an adapter of this config trains these rows of an embedding or a head."""
    whole = getattr(config, "modules_to_save", None) or ()
    if any(f".{name}".endswith(f".{one}") for one in whole):
        return True
    rows = getattr(config, "trainable_token_indices", None) or {}
    # a list is PEFT's for the embedding, whatever it is called
    named = rows if isinstance(rows, dict) else {name: rows}
    return any(f".{name}".endswith(f".{one}") and {*ids} <= {*own} for one, own in named.items())


class LayerTuner(PeftTuner, BlockTuner):
    """Base of those that change chosen layers."""

    targets: str | tuple[str, ...] = "all"
    """`all` linear layers, `attention`, `mlp`, `experts`, `state-space`, a type such as
    `attention-query`, a list of these and of layer names, or a regular expression."""
    layers: tuple[int, ...] | None = None
    """Numbers of the decoder layers that are changed, from 0, or from -1 at the end; all where
    it is not given."""
    full: tuple[str, ...] = ()
    """Modules that are trained in full besides, by type or name, such as `norm` or `head`."""

    @hookimpl
    def check_model(self, config: Mapping[str, Any], model: ModelSection) -> Iterable[Finding]:
        """Tell of what the adapter to go on with, or the number of layers, has wrong."""
        yield from PeftTuner.check_model(self, config=config, model=model)
        yield from BlockTuner.check_model(self, config=config, model=model)

    def misfit(self, count: int) -> Finding | None:
        """Return what is wrong with `layers` for a model of so many."""
        for number in self.layers or ():
            if not -count <= number < count:
                said = f"there is no decoder layer {number}: the model has {count}"
                return Finding("layers", said, f"Give numbers from {-count} to {count - 1}.")
        return None

    def trained_in_full(self, targets: list[str], layers: LayerMap) -> list[str] | None:
        """Return the full names of the modules to train in full; a target is none of them.

        Raises:
            BadModel: a word stands for no module.
        """
        found = {name for word in self.full for name in layers.named(word)} - {*targets}
        if stacked := sorted(found & layers.parameters.keys()):
            raise BadModel(
                f"PEFT trains modules in full, and {stacked[0]} is a tensor of one. Leave it out "
                "of `full`."
            )
        return sorted(found) or None

    def chosen(self, model: Any, layers: LayerMap) -> list[str]:
        """Return the full names of the layers that are changed.

        Raises:
            BadModel: there are none, or fewer decoder layers.
        """
        among = None
        if self.layers is not None:
            blocks = self.decoder_blocks(model)
            numbers = blocks.chosen(self.layers)
            among = {name for name, _ in layers if blocks.number_of(name) in numbers}
        return layers.resolve(self.wanted(layers), beside=True, among=among)

    def wanted(self, layers: LayerMap) -> str | tuple[str, ...]:  # noqa: ARG002
        """Return the targets for a model of these layers."""
        return self.targets


class ModuleTuner(LayerTuner):
    """Base of those that PEFT lays on linear modules alone, and that a few arguments describe."""

    def config_for(self, model: Any, layers: LayerMap, vocabulary: Vocabulary) -> Any:  # noqa: ARG002
        """Return PEFT's config of it for a model."""
        names = self.chosen(model, layers)
        if stacked := [name for name in names if name in layers.parameters]:
            raise BadModel(
                f"PEFT lays {self.method} on linear modules, and {stacked[0]} is a tensor of one. "
                "Choose other `targets`, such as `attention`, or `tuner: lora`."
            )
        shared = {"modules_to_save": self.trained_in_full(names, layers), "task_type": CAUSAL}
        return self.config_of(names, layers, target_modules=names, **shared)

    @abc.abstractmethod
    def config_of(self, names: list[str], layers: LayerMap, **shared: Any) -> Any:
        """Return PEFT's config of it.

        Args:
            names: the full names of the layers to change.
            layers: the type of each.
            shared: the arguments that every config takes, these names among them.
        """
