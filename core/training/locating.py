"""Where in a model the first number arises that is none: one forward pass, looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from luthier.core.model.value_head import ValuedModel
from luthier.core.training.state import random_state, restore_random_state

if TYPE_CHECKING:
    from torch import nn


GIVEN = ("input_ids", "attention_mask", "position_ids", "use_cache", "cu_seq_lens", "max_length")
"""What the keys of a batch begin with that a model itself takes; others are a stage's."""


def first_bad(
    trainee: nn.Module, batch: Mapping[str, Any], context: Callable[[], Any]
) -> str | None:
    """Return the name and the class of the first module whose output is not finite; None if none.

    The state of all random generators is as it was.

    Args:
        trainee: what the loop trains, a model, or one with value heads on it; its modules are asked
            in the order in which they end.
        batch: what it is given, without its labels, so that no loss is computed.
        context: what gives the precision that it is computed in.
    """
    found: list[str] = []

    def looking(name: str) -> Callable[..., None]:
        def look(module: nn.Module, _: Any, output: Any) -> None:
            if not found and not _is_finite(output):
                own = any(not _is_finite(one) for one in module.parameters(recurse=False))
                whose = ", whose own weights are not finite" if own else ""
                found.append(f"{name or 'the model'} ({type(module).__name__}){whose}")

        return look

    named = _named_modules(trainee)
    hooks = [one.register_forward_hook(looking(name)) for name, one in named.items()]
    given, state = _given(batch, next(trainee.parameters()).device), random_state()
    try:
        with torch.no_grad(), context():
            for head in trainee.heads if isinstance(trainee, ValuedModel) else (None,):
                trainee(**given, **({} if head is None else {"head": head}))
    finally:
        restore_random_state(state)
        for hook in hooks:
            hook.remove()
    return found[0] if found else None


def _given(batch: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """Return what of a batch a model takes."""
    return {
        key: one.to(device) if isinstance(one, torch.Tensor) else one
        for key, one in batch.items()
        if key.startswith(GIVEN)
    }


def _named_modules(trainee: nn.Module) -> dict[str, nn.Module]:
    """Return modules by the names that `OpenModel.trained` gives their parameters."""
    if not isinstance(trainee, ValuedModel):
        return dict(trainee.named_modules())
    heads = {f"value_heads.{name}": head for name, head in trainee.heads.items()}
    return {**dict(trainee.model.named_modules()), **heads}


def _is_finite(output: Any) -> bool:
    """Return whether all numbers of what a module gives are finite."""
    if isinstance(output, torch.Tensor):
        return not output.is_floating_point() or bool(torch.isfinite(output).all())
    if isinstance(output, Mapping):
        return all(_is_finite(one) for one in output.values())
    if isinstance(output, tuple | list):
        return all(_is_finite(one) for one in output)
    return True
