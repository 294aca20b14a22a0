"""What transformers says of a model before its weights are loaded: its config and its class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from luthier.core.errors import BadModel
from luthier.core.model import remote_code

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


def needs_its_code(location: Path | str, revision: str | None = None) -> bool:
    """Return whether transformers does not hold a model's architecture, and the model brings it."""
    from transformers import PretrainedConfig

    config, _ = PretrainedConfig.get_config_dict(location, revision=revision)
    return is_foreign(config)


def is_foreign(config: Mapping[str, Any]) -> bool:
    """Return whether a config is of a model whose code comes with it alone."""
    if "auto_map" not in config:
        return False  # transformers takes its time to be imported
    from transformers import CONFIG_MAPPING

    return config.get("model_type") not in CONFIG_MAPPING


def tokenizer_needs_its_code(location: Path | str, revision: str | None = None) -> bool:
    """Return whether transformers does not hold the class of a tokenizer, which comes with it."""
    from transformers.models.auto.tokenization_auto import (
        get_tokenizer_config,
        tokenizer_class_from_name,
    )

    settings = get_tokenizer_config(location, revision=revision)
    brought = settings.get("auto_map") or ()
    if isinstance(brought, Mapping):
        brought = brought.get("AutoTokenizer") or ()
    if isinstance(brought, str):
        brought = (brought,)
    classes = [one.rpartition(".")[2] for one in brought if isinstance(one, str)]
    named = (settings.get("tokenizer_class"), *classes)
    stems = {one.removesuffix("Fast") for one in named if isinstance(one, str)}
    held = (tokenizer_class_from_name(stem + end) for stem in stems for end in ("", "Fast"))
    return bool(classes) and not any(held)


def folder_needs_its_code(folder: Path) -> bool:
    """Return whether a model of a folder, or its tokenizer, is of code that comes with it alone."""
    files = (folder / name for name in ("config.json", "tokenizer_config.json"))
    if not any(b"auto_map" in file.read_bytes() for file in files if file.is_file()):
        return False  # transformers takes its time to be imported
    try:
        return needs_its_code(folder) or tokenizer_needs_its_code(folder)
    except (OSError, ValueError):
        return False  # told where they are read


def config_at(location: Path | str, revision: str | None = None) -> PretrainedConfig:
    """Return the config of the model at a folder or Hub id.

    Raises:
        BadModel: transformers cannot read it, or does not hold the model's code, and that which
            the model brings may not be run.
    """
    from transformers import AutoConfig

    try:
        trusted = remote_code.is_allowed() and needs_its_code(location, revision)
        found: PretrainedConfig = AutoConfig.from_pretrained(
            location, revision=revision, trust_remote_code=trusted
        )
    except (OSError, ValueError) as fault:
        said = str(fault).strip().partition("\n")[0].rstrip(".:")
        raise BadModel(
            f"the config of {location} cannot be read: {said}. Name a folder, or a Hub id, that "
            "holds the files of a model."
        ) from fault
    return found


def class_for(config: PretrainedConfig) -> type[PreTrainedModel] | None:
    """Return the class that a language model of this config is made of, if transformers has it."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    found: Any = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    return cast("type[PreTrainedModel] | None", found)


def class_at(location: Path | str, revision: str | None = None) -> type[PreTrainedModel] | None:
    """Return the class of the model at a folder or Hub id, of its own code where that may run.

    Raises:
        BadModel: its config cannot be read.
    """
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    config = config_at(location, revision)
    if (found := class_for(config)) is not None:
        return found
    named = getattr(config, "auto_map", {}).get("AutoModelForCausalLM")
    if named is None or not remote_code.is_allowed():
        return None
    brought: Any = get_class_from_dynamic_module(named, str(location), revision=revision)
    return cast("type[PreTrainedModel]", brought)
