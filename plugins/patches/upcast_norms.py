"""Norms in float32: what half precision rounds away in a mean of squares is not lost.

Source: QLoRA's authors train so (Dettmers et al., 2023, https://arxiv.org/abs/2305.14314):
https://github.com/artidoro/qlora.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    from torch import nn

    from luthier.core.hooks import Phase, Undo
    from luthier.core.model.layers import LayerMap


class UpcastNorms(Plugin):
    """Compute the norms in float32, whatever the rest of the model is computed in."""

    serves: ClassVar = "training"

    @hookimpl
    def patch_model(self, model: Any, layers: LayerMap, phase: Phase) -> Undo | None:
        """Hold the norms in float32, and compute them so; what they give has the dtype as before.

        Undone, a norm has its own precision again, rounded where it was trained.
        """
        from luthier.core.model.layers import LayerType

        if phase == "built":
            return None
        base = model.get_base_model() if hasattr(model, "peft_config") else model
        norms = [base.get_submodule(name) for name in layers.names_of(LayerType.NORM)]
        before = [(p, p.dtype) for norm in norms for p in norm.parameters()]
        forwards = [(norm, vars(norm).get("forward")) for norm in norms]
        for parameter, _ in before:
            parameter.data = parameter.data.float()
        for norm in norms:
            norm.forward = in_float32(norm)

        def undo() -> None:
            for parameter, dtype in before:
                parameter.data = parameter.data.to(dtype)
            for norm, forward in forwards:
                del norm.forward
                if forward is not None:
                    norm.forward = forward

        return undo


def in_float32(norm: nn.Module) -> Callable[..., Any]:
    """Return a norm's forward pass in float32, from tensors of any precision and back to it.

    Raises:
        AttributeError: the first argument is no tensor.
    """
    import torch

    forward = norm.forward

    def raised(value: Any) -> Any:
        floating = isinstance(value, torch.Tensor) and value.is_floating_point()
        return value.float() if floating else value

    def computed(hidden: torch.Tensor, *rest: Any, **named: Any) -> Any:
        with torch.autocast(hidden.device.type, enabled=False):
            output = forward(
                raised(hidden), *map(raised, rest), **{k: raised(v) for k, v in named.items()}
            )
        return output.to(hidden.dtype)

    return computed
