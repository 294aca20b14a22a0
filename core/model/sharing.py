"""Several roles on one base model: adapters that lie beside each other, switched on in turn.

Source: paper, section 3.3, "Model-Sharing RLHF".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from luthier.core.hooks import Undo
from luthier.core.model.adapters import ADAPTER_CONFIG, put_adapter
from luthier.core.model.modes import evaluated
from luthier.core.model.opening import ModelSpec, stacked


def shares_base(model: Any, policy: ModelSpec, other: ModelSpec) -> bool:
    """Return whether another model is an adapter on the very weights that a policy lies on.

    Args:
        model: the policy, open.
        policy: what it was opened by, for training.
        other: what the other would be opened by, for inference.
    """
    if not hasattr(model, "peft_config") or not other.adapters:
        return False
    beneath, continued = stacked(policy, training=True)
    others, last = stacked(other, training=False)
    if last is None or beneath != others or _weights_of(policy) != _weights_of(other):
        return False
    if continued is None and any("takes-from-weights" in one.traits for one in policy.plugins):
        return False
    kind = json.loads((last / ADAPTER_CONFIG).read_text(encoding="utf-8")).get("peft_type")
    # PEFT lays adapters of one kind beside each other
    return all(kind == config.peft_type for config in model.peft_config.values())


def _weights_of(spec: ModelSpec) -> tuple[Any, ...]:
    """Return all that decides the weights that adapters lie on."""
    local = spec.local_path
    changing = sorted(
        (one.kind, one.name, json.dumps(one.plugin.model_dump(mode="json"), sort_keys=True))
        for one in spec.plugins
        if one.kind in {"quantizers", "patches"} and one.plugin.serves != "training"
    )
    place = str(local) if local.is_dir() else spec.path
    return (place, spec.hub, spec.revision, spec.tokens, spec.special_tokens, spec.dtype, changing)


def lay_beside(model: Any, folder: Path, name: str) -> Undo:
    """Put a saved adapter beside those of a model, frozen and switched off; return its undo.

    Args:
        model: PEFT's wrapper of a model.
        folder: what PEFT saved.
        name: what the adapter is called there.

    Raises:
        BadModel: it does not fit the model.
    """
    with _as_trained(model):
        put_adapter(model, folder, name)
        active = model.active_adapter
        model.set_adapter(active)
    for parameter_name, parameter in model.named_parameters():
        if name in parameter_name.split("."):
            parameter.requires_grad_(requires_grad=False)

    def undo() -> None:
        with _as_trained(model):
            model.delete_adapter(name)

    return undo


@contextmanager
def switched_to(model: Any, name: str) -> Iterator[None]:
    """Have a model be what one of its adapters makes of it, without dropout."""
    active = model.active_adapter
    with _as_trained(model):
        model.set_adapter(name)
        try:
            yield
        finally:
            model.set_adapter(active)


@contextmanager
def switched_off(model: Any) -> Iterator[None]:
    """Have a model be its base, without dropout."""
    with _as_trained(model), model.disable_adapter():
        yield


@contextmanager
def _as_trained(model: Any) -> Iterator[None]:
    """Leave what is trained, and what mode a model is in, as they were: PEFT sets both anew."""
    trained = [(one, one.requires_grad) for one in model.parameters()]
    try:
        with evaluated(model):
            yield
    finally:
        for parameter, required in trained:
            parameter.requires_grad_(required)
