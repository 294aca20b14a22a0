"""Opening a model: located, planned, loaded, patched, and with its adapter attached.

plan_load -> load_model -> patch_model(built) -> attach_adapter -> patch_model(adapted)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.circumstances import UNTAUGHT
from luthier.core.errors import BadModel
from luthier.core.hooks import Undo
from luthier.core.model.adapters import merged, with_adapter
from luthier.core.model.attention import composed_attention, require_interface
from luthier.core.model.families import Family
from luthier.core.model.layers import LayerMap
from luthier.core.model.loading import LoadPlan, require_trainable_places
from luthier.core.model.quantization import KEY, stored_at
from luthier.core.model.vocabulary import Vocabulary, add_tokens, fit_vocabulary
from luthier.core.templates import ChatTemplate
from luthier.core.templates.fitting import fitted
from luthier.core.wiring import Selected, first_answer, manager_of, steps

if TYPE_CHECKING:
    import pluggy
    import torch
    from transformers import PreTrainedTokenizerBase

    from luthier.core.model.value_head import ValueHead
    from luthier.core.runfile import Run

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelSpec:
    """A model as a value: all that is needed to open it."""

    path: str
    base: Path
    """The folder that a relative path is found from."""
    family: Selected
    template: Selected | None
    plugins: tuple[Selected, ...] = ()
    """All other plugins that may answer for it: quantizer, patches, and for training the rest."""
    adapters: tuple[str, ...] = ()
    continues: bool = False
    """Whether the last of the adapters is trained on; a new one is laid over all others."""
    revision: str | None = None
    hub: str = "huggingface"
    """Where a model that is no folder is fetched from."""
    dtype: str = "float32"
    trained_dtype: str = "float32"
    """The precision of what is trained."""
    tokens: tuple[str, ...] = ()
    """Tokens to add to the tokenizer."""
    special_tokens: tuple[str, ...] = ()
    pad_vocabulary: int = 1
    max_length: int = 0
    """The longest row that it is to read, in tokens."""
    device_map: str | None = None
    max_memory: Mapping[str, str] = field(default_factory=dict)
    """The most that weights may take of each device, where a device map spreads them."""
    offload_folder: str | None = None
    """Where weights go that no device has room for."""

    @property
    def local_path(self) -> Path:
        """The path as one of this machine."""
        return (self.base / Path(self.path).expanduser()).resolve()

    @property
    def layers(self) -> Any:
        """The family's patterns of layer types."""
        return self.family.plugin.layers if isinstance(self.family.plugin, Family) else {}


@dataclass(frozen=True)
class LocatedModel:
    """A model whose place and tokenizer are known, and whose weights are not loaded yet."""

    spec: ModelSpec
    location: Path | str
    tokenizer: PreTrainedTokenizerBase
    template: ChatTemplate | None
    manager: pluggy.PluginManager
    known_tokens: int
    """How many tokens the tokenizer had before any were added."""
    held_tokens: tuple[str, ...] = ()
    """Those that were to be added, and that it had already."""


@dataclass
class OpenModel:
    """A model in memory, with what belongs to it."""

    model: Any
    """The transformers model, or PEFT's wrapper of it."""
    tokenizer: PreTrainedTokenizerBase
    template: ChatTemplate | None
    layers: LayerMap
    vocabulary: Vocabulary
    """What became of its vocabulary to fit the tokenizer."""
    undo: list[Undo] = field(default_factory=list)
    """What takes the patches back, in the order they were made: the last is to be called first."""
    config_changes: Mapping[str, Any] = field(default_factory=dict)
    """What plugins changed in the config that the weights came with, by field."""
    value_heads: dict[str, ValueHead] = field(default_factory=dict)
    """Heads on it, by their names: those that were saved with it, in training those that the stage
    made of them. They are saved with it."""

    def trained(self) -> dict[str, torch.nn.Parameter]:
        """Return the parameters that training changes, by name; a tied one once."""
        heads = {f"value_heads.{name}.": head for name, head in self.value_heads.items()}
        return {
            prefix + name: parameter
            for prefix, module in {"": self.model, **heads}.items()
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        }

    def unpatch(self) -> None:
        """Take the patches back, so that what is saved has no trace of them."""
        while self.undo:
            self.undo.pop()()


def model_spec(run: Run, *, training: bool) -> ModelSpec:
    """Return the model of a run; for inference without the plugins that only training needs."""
    chosen = [
        one
        for one in run.selected
        if one is not run.family and (training or one.plugin.serves != "training")
    ]
    if run.family is None:
        raise BadModel(f"the family of {run.model.path} is not known. Name it: `family:`.")
    return ModelSpec(
        path=run.model.path,
        base=run.model_base,
        family=run.family,
        template=next(iter(run.of("templates")), None),
        plugins=tuple(chosen),
        adapters=run.model.adapters,
        continues=run.continues_adapter,
        revision=run.model.revision,
        hub=run.model.hub,
        dtype=run.dtype,
        trained_dtype=run.trained_dtype,
        tokens=run.model.add_tokens,
        special_tokens=run.model.add_special_tokens,
        pad_vocabulary=run.model.pad_vocabulary,
        max_length=run.encoding.max_length,
        device_map=run.model.device_map,
        max_memory=run.model.max_memory,
        offload_folder=run.model.offload_folder,
    )


def locate(spec: ModelSpec) -> LocatedModel:
    """Return a model's place and its tokenizer; no weights are loaded.

    Raises:
        BadModel: there is no model, or no tokenizer, there.
    """
    manager = manager_of([spec.family, *spec.plugins])
    location = first_answer(manager, "locate_model", model=spec)
    tokenizers = [*(spec.base / adapter for adapter in spec.adapters[-1:]), location]
    own = next((t for t in tokenizers[:-1] if (t / "tokenizer_config.json").is_file()), location)
    tokenizer = first_answer(manager, "load_tokenizer", model=spec, location=own)
    known = len(tokenizer)
    held = add_tokens(tokenizer, spec.tokens, spec.special_tokens)
    template = spec.template.plugin if spec.template else None
    if template is not None and not isinstance(template, ChatTemplate):
        raise BadModel(f"{spec.template} is no ChatTemplate. Choose another `template`.")
    template = template and fitted(template, tokenizer)
    return LocatedModel(spec, location, tokenizer, template, manager, known, held)


def open_model(located: LocatedModel, *, training: bool) -> OpenModel:
    """Return a model in memory.

    Args:
        located: what `locate` gave.
        training: attach the tuner's adapter and hold what is trained in float32.

    Raises:
        BadModel: it cannot be loaded, or a plugin cannot be applied to it.
        TwoOwners: two plugins decide the same thing.
    """
    from luthier.core.model.generation import settle_generation

    spec, manager = located.spec, located.manager
    plan = LoadPlan(spec.dtype, stored_at(located.location, spec.revision), spec.device_map)
    for step in steps(manager, "plan_load"):
        with plan.owned_by(step.owner):
            step.call(plan=plan, model=spec, location=located.location)
    plan.attention = composed_attention(plan.attention, manager)
    require_interface(plan.attention, spec, located.location)
    model = first_answer(manager, "load_model", model=spec, location=located.location, plan=plan)
    vocabulary = fit_vocabulary(model, located.tokenizer, located.known_tokens, spec.pad_vocabulary)
    if training:
        require_trainable_places(model)
        settle_generation(model)
        _require_taught(vocabulary, spec.plugins)
    layers = LayerMap.of(model, spec.layers)
    opened = OpenModel(model, located.tokenizer, located.template, layers, vocabulary)
    opened.config_changes = {k: v for k, v in plan.config.items() if k != KEY}
    _patch(opened, manager, "built")
    _adapt(opened, manager, spec, training=training)
    _patch(opened, manager, "adapted")
    opened.value_heads = saved_heads(located)
    return opened


def _require_taught(vocabulary: Vocabulary, plugins: Iterable[Selected]) -> None:
    """Refuse tokens that are new to the model beside what leaves their embeddings as they begin.

    A run file's own are told of before; a tokenizer may have some that the model was not made with.

    Raises:
        BadModel: it names the first of them.
    """
    for one in plugins:
        if vocabulary.ids and "fixed-embedding" in one.traits:
            raise BadModel(
                f"the model was made without {vocabulary.tokens[0]!r} and other such tokens of "
                f"its tokenizer, and with {one} {UNTAUGHT}. Do without {one}, or choose a "
                "tokenizer without them."
            )


def saved_heads(located: LocatedModel) -> dict[str, ValueHead]:
    """Return the value heads that were saved with the last adapter, or else with the model."""
    from luthier.core.model.value_head import FILE, load_value_heads

    spec = located.spec
    folder = Path((spec.base / spec.adapters[-1]) if spec.adapters else located.location)
    return load_value_heads(folder) if (folder / FILE).is_file() else {}


def stacked(spec: ModelSpec, *, training: bool) -> tuple[list[Path], Path | None]:
    """Return the adapters that become part of the model, and the one that stays beside it."""
    folders = [(spec.base / adapter).resolve() for adapter in spec.adapters]
    if not folders or (training and not spec.continues):
        return folders, None
    return folders[:-1], folders[-1]


def _adapt(
    opened: OpenModel, manager: pluggy.PluginManager, spec: ModelSpec, *, training: bool
) -> None:
    """Put a model's adapters on it, and in training what its tuner trains."""
    beneath, last = stacked(spec, training=training)
    for adapter in beneath:
        opened.model = merged(with_adapter(opened.model, adapter), adapter)
    if training:
        opened.model = first_answer(
            manager, "attach_adapter",
            model=opened.model, layers=opened.layers, vocabulary=opened.vocabulary, adapter=last,
        )  # fmt: skip
        _hold_trained_in(opened.model, spec.trained_dtype)
    elif last is not None:
        opened.model = with_adapter(opened.model, last)


def _patch(opened: OpenModel, manager: pluggy.PluginManager, phase: str) -> None:
    for step in steps(manager, "patch_model"):
        undo: Callable[[], None] | None = step.call(
            model=opened.model, layers=opened.layers, vocabulary=opened.vocabulary, phase=phase
        )
        if undo is not None:
            opened.undo.append(undo)


def _hold_trained_in(model: Any, dtype: str) -> None:
    """Cast what is trained: to float32 in mixed precision, to bfloat16 in bfloat16 training.

    Source: paper, section 3.1, "Precision Adaptation". PEFT by itself holds adapters in float32.
    """
    import torch

    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(getattr(torch, dtype))
