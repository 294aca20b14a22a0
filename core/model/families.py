"""Model families: light facts about a line of models, and how a model is recognised by them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.errors import AmbiguousPlugin, BadModel, BrokenPlugin, LuthierError
from luthier.core.hooks import hookimpl
from luthier.core.model.layers import LayerType
from luthier.core.plugin import Plugin
from luthier.core.selection import plugin_of
from luthier.registry import Catalogue
from luthier.registry.errors import MOST_LISTED, nearest

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
    layers: Mapping[str, LayerType] = {}
    """The types of the layers that class and name do not tell, or tell wrongly, by a regular
    expression for the end of the layer's name. All others are told by `LayerMap`."""
    template: str | None = None
    """The chat template of a model that brings none with its tokenizer; None for none."""
    chat_templates: tuple[str, ...] = ()
    """The chat templates of its chat models, which are compared with what a model brings."""
    builtin: tuple[str, ...] = ()
    """Names of models that the family makes itself."""

    @hookimpl
    def locate_model(self, model: ModelSpec) -> Path | str | None:
        """Return a folder as a path, and anything of the form `owner/name` as a Hub id."""
        if model.local_path.is_dir():
            return model.local_path
        if is_hub_id(model.path):
            require_no_misspelt_folder(model.path, model.base)
            return model.path
        raise BadModel(no_model_at(model.path))

    @hookimpl
    def load_tokenizer(
        self, model: ModelSpec, location: Path | str
    ) -> PreTrainedTokenizerBase | None:
        """Return the tokenizer through transformers' AutoTokenizer."""
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(
                location, revision=model.revision, trust_remote_code=False
            )
        except (OSError, ValueError) as fault:
            raise BadModel(
                f"the tokenizer of {location} cannot be loaded: {_first_line(fault)} "
                "Name a folder, or a Hub id, that holds the files of a tokenizer."
            ) from fault

    @hookimpl
    def load_model(
        self, model: ModelSpec, location: Path | str, plan: LoadPlan
    ) -> PreTrainedModel | None:
        """Return the model through transformers' AutoModelForCausalLM, from safetensors only."""
        import torch
        from safetensors import SafetensorError
        from transformers import AutoConfig, AutoModelForCausalLM

        source: dict[str, Any] = {"revision": model.revision, "trust_remote_code": False}
        settings: dict[str, Any] = {"dtype": getattr(torch, plan.dtype), "use_safetensors": True}
        if plan.attention:
            settings["attn_implementation"] = plan.attention
        if plan.device_map is not None:
            settings["device_map"] = plan.device_map
        if plan.quantization is not None:
            settings["quantization_config"] = plan.quantization
        try:
            config = AutoConfig.from_pretrained(location, **source)
            for field, value in plan.config.items():
                setattr(config, field, value)
            return AutoModelForCausalLM.from_pretrained(
                location, config=config, **source, **settings
            )
        except (OSError, ValueError, SafetensorError) as fault:
            raise BadModel(
                f"the model {location} cannot be loaded: {_first_line(fault)} "
                "Name a folder, or a Hub id, that holds the files of a model."
            ) from fault


def _first_line(fault: BaseException) -> str:
    """Return what transformers says first; its advice that follows is for its own callers."""
    return f"{str(fault).strip().partition(chr(10))[0].rstrip('.:')}."


def is_hub_id(path: str) -> bool:
    """Return whether a path has the form `owner/name` of the Hugging Face Hub."""
    owner, slash, name = path.partition("/")
    return bool(slash and owner and name) and "/" not in name and owner[0] not in ".~"


def require_no_misspelt_folder(path: str, base: Path) -> None:
    """Refuse a Hub id that begins like a folder of this machine: nobody asks the Hub for that.

    Args:
        path: the model's path, of the form `owner/name`.
        base: the folder that a relative path is found from.

    Raises:
        BadModel: the first part is a folder; the message names what is in it.
    """
    owner, _, name = path.partition("/")
    folder = base / owner
    if not folder.is_dir():
        return
    there = sorted(one.name for one in folder.iterdir() if one.is_dir() and one.name[0] != ".")
    listed = ", ".join(there[:MOST_LISTED]) + (" ..." if there[MOST_LISTED:] else "")
    raise BadModel(
        f"there is no folder {path}, neither of a run nor of a model, and since there is a folder "
        f"{owner}, the Hub is not asked. {nearest(name, there)}In {owner} there are: "
        f"{listed or 'no folders'}. For a model of the Hub, work from another folder."
    )


def no_model_at(path: str) -> str:
    """Return the message for a path that is no model."""
    return (
        f"there is no model at {path!r}: neither a folder nor a Hub id such as `owner/name`. "
        "A relative path is found from the folder of the run file; one of the command line, from "
        "the current folder."
    )


def recognise(path: str, config: Mapping[str, Any] | None, catalogue: Catalogue) -> str | None:
    """Return the name of the family that a model belongs to, or None where its config is not known.

    Args:
        path: the model's path in the run file.
        config: its `config.json`, or None where it is not at hand.
        catalogue: where the families are found; reading them imports their (light) modules.

    Raises:
        LuthierError: no family, or more than one, has the model's architecture.
    """
    families = _families(catalogue)
    for name, family in families.items():
        if path in family.builtin:
            return name
    if config is None:
        return None
    wanted = set(config.get("architectures") or ())
    found = [name for name, family in families.items() if wanted & set(family.architectures)]
    if len(found) == 1:
        return found[0]
    said = ", ".join(sorted(wanted)) or "no architecture"
    known = ", ".join(families)
    if found:
        raise LuthierError(
            f"its config names {said}, which {' and '.join(found)} both have; "
            f"say which with `family:`"
        )
    raise LuthierError(
        f"its config names {said}, which no installed family has; "
        f"if it is built like one of these, say so with `family:` ({known})"
    )


def _families(catalogue: Catalogue) -> dict[str, Family]:
    found = {}
    for name in catalogue.names("families"):
        try:
            family = plugin_of(catalogue.find("families", name))
        except (BrokenPlugin, AmbiguousPlugin):
            continue  # fatal only where it is chosen by name; `luthier plugins` tells of it
        if isinstance(family, Family):
            found[name] = family
    return found


def config_of(folder: Path) -> dict[str, Any] | None:
    """Return the `config.json` of a model's folder, or None where it has none.

    Raises:
        BadModel: the file is no JSON object.
    """
    file = folder / "config.json"
    if not file.is_file():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise BadModel(f"{file} is no JSON: {fault}") from fault
    if not isinstance(found, dict):
        raise BadModel(f"{file} holds no mapping")
    return found
