"""Norms in float32: what half precision rounds away in a mean of squares is not lost.

Source: QLoRA's authors train so (Dettmers et al., 2023, https://arxiv.org/abs/2305.14314):
https://github.com/artidoro/qlora.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import Plugin, hookimpl
from luthier.core.model.unwrapping import unwrapped

if TYPE_CHECKING:
    import torch
    from torch import nn

    from luthier.core.hooks import Phase, Undo
    from luthier.core.model.layers import LayerMap


class UpcastNorms(Plugin):
    """Compute the norms in float32, whatever the rest of the model is computed in."""

    serves: ClassVar = "training"

    @hookimpl
    def patch_model(self, model: Any, layers: LayerMap, phase: Phase) -> Undo | None:
        """Put a forward pass in float32 in the place of each norm's.

        Its weights stay in the precision that they have, and are saved in it.
        """
        from luthier.core.model.layers import LayerType

        if phase == "built":
            return None
        base = unwrapped(model)
        norms = [base.get_submodule(name) for name in layers.names_of(LayerType.NORM)]
        earlier = [(norm, vars(norm).get("forward")) for norm in norms]
        for norm in norms:
            norm.forward = in_float32(norm)

        def undo() -> None:
            for norm, forward in earlier:
                del norm.forward
                if forward is not None:
                    norm.forward = forward

        return undo


def in_float32(norm: nn.Module) -> Callable[..., Any]:
    """Return a norm's forward pass as computed in float32.

    It takes tensors of any precision, and gives what the first of them has; in a tuple, too.
    """
    import torch

    forward = norm.forward

    def raised(value: Any) -> Any:
        floating = isinstance(value, torch.Tensor) and value.is_floating_point()
        return value.float() if floating else value

    def lowered(output: Any, dtype: torch.dtype) -> Any:
        if isinstance(output, tuple):  # Zaya's gives queries and keys
            return tuple(lowered(one, dtype) for one in output)
        floating = isinstance(output, torch.Tensor) and output.is_floating_point()
        return output.to(dtype) if floating else output

    def computed(hidden: torch.Tensor, *rest: Any, **named: Any) -> Any:
        held = norm._parameters  # noqa: SLF001 - as torch.func.functional_call, which calls us
        norm._parameters = {name: raised(weight) for name, weight in held.items()}  # noqa: SLF001
        try:
            with torch.autocast(hidden.device.type, enabled=False):
                output = forward(
                    raised(hidden), *map(raised, rest), **{k: raised(v) for k, v in named.items()}
                )
        finally:
            norm._parameters = held  # noqa: SLF001
        return lowered(output, hidden.dtype)

    return computed
