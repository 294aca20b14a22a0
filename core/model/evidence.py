"""What is known of a model before anything heavy is imported: what its files say of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.core.errors import BadModel
from luthier.core.model.hubs import id_in_cache, is_hub_id
from luthier.core.problems import cut
from luthier.core.templates.brought import Brought, brought_by


@dataclass(frozen=True)
class Evidence:
    """What is known of a model before anything heavy is imported."""

    path: str
    """Its path in the run file; absolute where it is a folder, whose name is no id."""
    config: Mapping[str, Any] | None = None
    """Its `config.json`, or None where it is not at hand."""
    brought: Brought | None = None
    """Its own chat template."""
    tokens: frozenset[str] = frozenset()
    """The special tokens that its tokenizer's config names."""

    @classmethod
    def of(cls, path: str, folder: Path) -> Evidence:
        """Return what a model's folder tells.

        Args:
            path: its path in the run file; absolute where it is a folder.
            folder: where its config is, if it is anywhere.

        Raises:
            BadModel: its config is no JSON object.
        """
        config = config_of(folder)
        if config is None:
            return cls(path)
        try:
            return cls(path, config, brought_by([folder]), special_tokens_of(folder))
        except BadModel:
            return cls(path, config)  # told where the template is looked for

    @property
    def ids(self) -> list[str]:
        """The id of its path, or of the folder of the Hub's cache that this is."""
        found = (self.path, id_in_cache(self.path))
        return [one for one in found if one and is_hub_id(one)]

    @property
    def origin(self) -> list[str]:
        """The id that its config names: of what it was tuned from, where it was tuned."""
        named = str((self.config or {}).get("_name_or_path") or "")
        return [named] if is_hub_id(named) else []

    @property
    def architectures(self) -> list[str]:
        """The classes that its config names."""
        return list((self.config or {}).get("architectures") or ())

    @property
    def model_type(self) -> str:
        """Transformers' name of its architecture; empty where its config has none."""
        return str((self.config or {}).get("model_type") or "")


def stored_dtype(config: Mapping[str, Any]) -> str:
    """Return the name of the precision that a model's weights are stored in; empty if not told.

    Args:
        config: its `config.json`; a model of several parts may tell it of the language model's.
    """
    text = config.get("text_config")
    places = (config, text if isinstance(text, Mapping) else {})
    # transformers 5 writes `dtype`, those before it `torch_dtype`
    told = (place.get(key) for place in places for key in ("dtype", "torch_dtype"))
    return str(next(filter(None, told), "")).removeprefix("torch.")


def decoder_layers(config: Mapping[str, Any]) -> int | None:
    """Return how many decoder layers a model has, where its config tells.

    Args:
        config: its `config.json`; a model of several parts tells it of the language model's.
    """
    text = config.get("text_config")
    for part in (text if isinstance(text, Mapping) else {}, config):
        # the second as GPT-2, the third as ChatGLM and BLOOM tell it
        told = [part.get(key) for key in ("num_hidden_layers", "n_layer", "num_layers")]
        if count := next((one for one in told if isinstance(one, int)), None):
            return count
    return None


def config_of(folder: Path) -> dict[str, Any] | None:
    """Return the `config.json` of a model's folder, or None where it has none.

    Raises:
        BadModel: the file is no JSON object, or a value that something is told by is of another
            kind.
    """
    file = folder / "config.json"
    if not file.is_file():
        return None
    found = _object_in(file)
    _require_kinds(found, file)
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_mapping(value: object) -> bool:
    return isinstance(value, dict)


def _is_list_of_names(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_KINDS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "model_type": ("text", _is_text),
    "quant_method": ("text", _is_text),
    "architectures": ("list of names", _is_list_of_names),
    "layer_types": ("list of names", _is_list_of_names),
    "layers_block_type": ("list of names", _is_list_of_names),
    "quantization_config": ("mapping", _is_mapping),
    "text_config": ("mapping", _is_mapping),
}
"""What the values of a config have to be that anything is told by."""


def _require_kinds(config: Mapping[str, Any], file: Path) -> None:
    for key, (kind, is_of) in _KINDS.items():
        value = config.get(key)
        if value is not None and not is_of(value):
            raise BadModel(f"the `{key}` of {file} is no {kind}: {cut(repr(value))}")
        if isinstance(value, dict):
            _require_kinds(value, file)


def special_tokens_of(folder: Path) -> frozenset[str]:
    """Return the special tokens that the configs of a folder's tokenizer name.

    Raises:
        BadModel: one of the files is no JSON object.
    """
    found: set[str] = set()
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        file = folder / name
        values = _object_in(file) if file.is_file() else {}
        added = values.get("added_tokens_decoder")
        listed = values.get("additional_special_tokens") or values.get("extra_special_tokens")
        candidates = [
            *(added.values() if isinstance(added, dict) else ()),
            *(listed if isinstance(listed, list) else ()),
            *(value for key, value in values.items() if key.endswith("_token")),
        ]
        texts = (one.get("content") if isinstance(one, dict) else one for one in candidates)
        found.update(text for text in texts if isinstance(text, str) and text)
    return frozenset(found)


def _object_in(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise BadModel(f"{file} is no JSON: {fault}") from fault
    if not isinstance(found, dict):
        raise BadModel(f"{file} holds no mapping")
    return found
