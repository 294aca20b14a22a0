"""What transformers says of a model before its weights are loaded: its config and its class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from luthier.core.errors import BadModel
from luthier.core.model import remote_code

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


def needs_its_code(location: Path | str, revision: str | None = None) -> bool:
    """Return whether transformers does not hold a model's architecture, and the model brings it."""
    from transformers import CONFIG_MAPPING, PretrainedConfig

    config, _ = PretrainedConfig.get_config_dict(location, revision=revision)
    return "auto_map" in config and config.get("model_type") not in CONFIG_MAPPING


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
