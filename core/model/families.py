"""Model families: light facts about a line of models, and how their models are loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadModel
from luthier.core.hooks import hookimpl
from luthier.core.model import remote_code
from luthier.core.model.architectures import (
    class_at,
    config_at,
    needs_its_code,
    tokenizer_needs_its_code,
)
from luthier.core.model.checkpoints import Checkpoint
from luthier.core.model.hubs import (
    HUBS,
    WHOLE,
    fetched,
    is_hub_id,
    no_model_at,
    require_no_misspelt_folder,
)
from luthier.core.model.layers import LayerType
from luthier.core.model.loading import CONVERT, placement, require_safetensors
from luthier.core.model.outlines import without_memory
from luthier.core.model.quantization import KEY
from luthier.core.plugin import Plugin

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from luthier.core.model.loading import LoadPlan
    from luthier.core.model.opening import ModelSpec


class Family(Plugin):
    """A family of models, as an instance: what it is recognised by, its layers, its template.

    A subclass is for a family that loads otherwise than through transformers' AutoModel API.
    """

    architectures: tuple[str, ...] = ()
    """The class names in a config's `architectures` that mean this family."""
    model_types: tuple[str, ...] = ()
    """Transformers' names of these architectures, for a config that names no class."""
    ids: tuple[str, ...] = ()
    """Patterns of its models' ids on the hubs, such as `01-ai/Yi-*`, beside its checkpoints'."""
    tokens: tuple[str, ...] = ()
    """Special tokens that, all together, only its tokenizers have among those of its kin."""
    layers: Mapping[str, LayerType] = {}
    """The types of the layers that class and name do not tell, or tell wrongly, by a regular
    expression for the end of the layer's name. All others are told by `LayerMap`."""
    template: str | None = None
    """The chat template of a model that brings none with its tokenizer; None for none."""
    chat_templates: tuple[str, ...] = ()
    """The chat templates of its chat models, which are compared with what a model brings."""
    general_template: str | None = None
    """Given by the one family that stands for an architecture: the chat template of a model of
    which nothing tells the line, and that brings none."""
    any_architecture: bool = False
    """Whether it takes each model that transformers can build and no other family knows."""
    brings_code: bool = False
    """Whether its models' code comes with them, and is not transformers' own."""
    builtin: tuple[str, ...] = ()
    """Names of models that the family makes itself."""
    checkpoints: tuple[Checkpoint, ...] = ()
    """The models that were published."""

    @hookimpl
    def locate_model(self, model: ModelSpec) -> Path | str | None:
        """Return a folder as a path, and anything of the form `owner/name` as a hub's id.

        The models of other hubs are fetched here: transformers knows the Hub alone.
        """
        if model.local_path.is_dir():
            return model.local_path
        if not is_hub_id(model.path):
            raise BadModel(no_model_at(model.path))
        require_no_misspelt_folder(model.path, model.base)
        if HUBS[model.hub].package is None:
            return model.path
        return fetched(model.hub, model.path, model.revision, WHOLE)

    @hookimpl
    def load_tokenizer(
        self, model: ModelSpec, location: Path | str
    ) -> PreTrainedTokenizerBase | None:
        """Return the tokenizer through transformers' AutoTokenizer."""
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(
                location,
                revision=model.revision,
                trust_remote_code=self._trusts(model, location, tokenizer_needs_its_code),
            )
        except (OSError, ValueError) as fault:
            said = _first_line(fault)
            if "instantiate the backend tokenizer" in said:  # and then comes a list of ways
                said = "there is no tokenizer.json, and no vocabulary that one can be made of."
            raise BadModel(
                f"the tokenizer of {location} cannot be loaded: {said} "
                "Name a folder, or a Hub id, that holds the files of a tokenizer."
            ) from fault

    @hookimpl
    def outline_model(self, model: ModelSpec, location: Path | str) -> PreTrainedModel | None:
        """Return what transformers' AutoModelForCausalLM builds of the config alone."""
        from transformers import AutoModelForCausalLM

        if class_at(location, model.revision) is None:
            return None  # told where it is loaded
        trusted = self._trusts(model, location, needs_its_code)
        config = config_at(location, model.revision)
        try:
            with without_memory():
                built: PreTrainedModel = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                    config, trust_remote_code=trusted
                )
        except ValueError as fault:
            raise BadModel(
                f"no model can be built of the config of {location}: {_first_line(fault)} Name a "
                "folder, or a Hub id, that holds the files of a model."
            ) from fault
        except (AttributeError, RuntimeError, TypeError):
            if not trusted:
                raise
            return None  # its code reads weights as it makes them; it is loaded with these
        return built

    @hookimpl
    def load_model(
        self, model: ModelSpec, location: Path | str, plan: LoadPlan
    ) -> PreTrainedModel | None:
        """Return the model through transformers' AutoModelForCausalLM, from safetensors only."""
        import torch
        from safetensors import SafetensorError
        from transformers import AutoConfig, AutoModelForCausalLM

        source: dict[str, Any] = {"revision": model.revision}
        settings: dict[str, Any] = {"dtype": getattr(torch, plan.dtype), "use_safetensors": True}
        settings |= placement(model, plan)
        if isinstance(location, Path):
            require_safetensors(location)
        if plan.attention:
            settings["attn_implementation"] = plan.attention
        if plan.quantization is not None:
            settings["quantization_config"] = plan.quantization
        try:
            source["trust_remote_code"] = self._trusts(model, location, needs_its_code)
            config = AutoConfig.from_pretrained(location, **source)
            for field, value in plan.config.items():
                # of a model of several parts, the language model's; all parts are quantized as one
                part = config if field == KEY else config.get_text_config()
                setattr(part, field, value)
            return AutoModelForCausalLM.from_pretrained(
                location, config=config, **source, **settings
            )
        except (OSError, ValueError, SafetensorError) as fault:
            said, _, advice = _first_line(fault).partition(" Please do not set `use_safetensors")
            remedy = "Name a folder, or a Hub id, that holds the files of a model."
            raise BadModel(
                f"the model {location} cannot be loaded: {said} {CONVERT if advice else remedy}"
            ) from fault

    def _trusts(
        self,
        model: ModelSpec,
        location: Path | str,
        needed_at: Callable[[Path | str, str | None], bool],
    ) -> bool:
        """Whether the code that comes with a model is run: where it has to be, and may be.

        Args:
            model: the model.
            location: where it, or its tokenizer, lies.
            needed_at: tells of that place and a revision whether transformers lacks the code.

        Raises:
            BadModel: it has to be, and may not be.
        """
        needs = self.brings_code or needed_at(location, model.revision)
        if needs and not remote_code.is_allowed():
            raise BadModel(remote_code.refusal(model.path))
        return needs  # else transformers' own code, even where a model brings some, too


def _first_line(fault: BaseException) -> str:
    """Return what transformers says first; its advice that follows is for its own callers."""
    return f"{str(fault).strip().partition(chr(10))[0].rstrip('.:')}."
