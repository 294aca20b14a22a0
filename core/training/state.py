"""State of torch objects on disk, without pickle: tensors as safetensors, the rest as JSON.

A pickle runs code when it is read, so a checkpoint that somebody hands you must hold none.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

_TENSOR, _TUPLE, _MAPPING = "$tensor", "$tuple", "$mapping"


def save_state(value: Any, file: Path) -> None:
    """Write a tree of dicts, lists, tuples, numbers, texts and tensors.

    Args:
        value: such as an optimizer's `state_dict()`.
        file: a path without ending; `.json` and, where there are tensors, `.safetensors` are
            written.

    Raises:
        TypeError: the tree holds anything else; its type and place are named.
    """
    tensors: dict[str, torch.Tensor] = {}
    skeleton = _flatten(value, file.name, tensors)
    if tensors:
        save_file(tensors, file.with_suffix(".safetensors"))
    file.with_suffix(".json").write_text(json.dumps(skeleton), encoding="utf-8")


def load_state(file: Path) -> Any:
    """Return what `save_state` wrote, on the CPU."""
    skeleton = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    stored = file.with_suffix(".safetensors")
    return _restore(skeleton, load_file(stored) if stored.exists() else {})


def require_state(file: Path) -> None:
    """Refuse what `save_state` did not write whole; tensors are looked for by name alone.

    Raises:
        ValueError: a file is absent or torn, or a tensor is missing.
    """
    stored = file.with_suffix(".safetensors")
    names: list[str] = []
    try:
        skeleton = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        if stored.exists():
            with safe_open(stored, framework="pt") as tensors:  # refuses a file that is cut short
                names = tensors.keys()
        _restore(skeleton, dict.fromkeys(names))
    except KeyError as missing:
        raise ValueError(f"there is no {missing} in {stored.name}") from missing
    except (OSError, ValueError, TypeError, SafetensorError) as fault:
        raise ValueError(f"{file.name} cannot be read: {fault}") from fault


def _flatten(value: Any, place: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        # a copy: safetensors refuses tensors that share memory
        tensors[place] = value.detach().cpu().clone().contiguous()
        return {_TENSOR: place}
    if isinstance(value, dict):
        pairs = [[key, _flatten(v, f"{place}.{key}", tensors)] for key, v in value.items()]
        return {_MAPPING: pairs}
    if isinstance(value, tuple):
        return {_TUPLE: [_flatten(v, f"{place}.{n}", tensors) for n, v in enumerate(value)]}
    if isinstance(value, list):
        return [_flatten(v, f"{place}.{n}", tensors) for n, v in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{place} is a {type(value).__name__}, which is not stored without pickle")


def _restore(skeleton: Any, tensors: Mapping[str, Any]) -> Any:
    if isinstance(skeleton, list):
        return [_restore(item, tensors) for item in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    if _TENSOR in skeleton:
        return tensors[skeleton[_TENSOR]]
    if _TUPLE in skeleton:
        return tuple(_restore(item, tensors) for item in skeleton[_TUPLE])
    return {key: _restore(item, tensors) for key, item in skeleton[_MAPPING]}


def random_state() -> dict[str, Any]:
    """Return the state of every random generator that training draws from."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (str(kind), [int(k) for k in keys], int(position), int(has_gauss), float(gauss)),
        "torch": torch.random.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.random.get_rng_state_all()
    return state


def restore_random_state(state: dict[str, Any]) -> None:
    """Put every generator back to a state that `random_state` gave."""
    random.setstate(state["python"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.random.set_rng_state(state["torch"])
    if torch.cuda.is_available() and "cuda" in state:
        torch.cuda.random.set_rng_state_all(state["cuda"])
