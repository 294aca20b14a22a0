"""Which layers a built model has, and what the class and the name of each tell of its type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from luthier.core.model.layer_names import type_named
from luthier.core.model.layer_types import LayerType

if TYPE_CHECKING:
    from torch import nn

MATRIX = 2
"""The axes that a tensor has at least where it multiplies."""


def layers_in(model: nn.Module) -> Iterator[tuple[str, str | None, LayerType | None]]:
    """Go through the layers: their name, the parameter that they are, and what they tell.

    A layer is a linear module, an embedding, a norm or a convolution; and each tensor of two or
    more axes that a module of another kind holds itself, as routers and stacked experts do.
    """
    head = getattr(model, "get_output_embeddings", lambda: None)()
    for name, module in model.named_modules():
        if module is head:
            yield name, None, LayerType.HEAD
        elif (kind := _by_class(module)) is not None:
            yield name, None, kind
        elif _is_linear(module):
            parameter = f"{name}.weight" if _gives_no_product(module) else None
            yield name, parameter, type_named(name) or LayerType.OTHER
        else:
            yield from _stacked(name, module)


def _stacked(name: str, module: nn.Module) -> Iterator[tuple[str, str, LayerType | None]]:
    """Go through the tensors that a module holds itself, but for biases and scales."""
    for own, tensor in module.named_parameters(recurse=False):
        axes = sum(length > 1 for length in tensor.shape)
        if axes < MATRIX or re.search("bias$|scale", own) or not tensor.is_floating_point():
            continue
        parameter = f"{name}.{own}".lstrip(".")
        layer = name if own == "weight" and name else parameter
        unknown = LayerType.OTHER if axes > MATRIX else None
        yield layer, parameter, type_named(layer) or unknown


def _by_class(module: nn.Module) -> LayerType | None:
    """Return the type of a module that its class alone tells."""
    from torch import nn
    from torch.nn.modules.conv import _ConvNd

    if isinstance(module, nn.Embedding):
        return LayerType.EMBEDDING
    if isinstance(module, _ConvNd):
        return LayerType.CONVOLUTION
    if "norm" not in type(module).__name__.lower():
        return None
    flat = all(parameter.ndim < MATRIX for parameter in module.parameters())
    return LayerType.NORM if flat else None


def _gives_no_product(module: nn.Module) -> bool:
    """Return whether a linear layer gives something else, so that nothing can be added to it.

    That of groups gives a product for each, and a router the choice that it makes of it.
    """
    return getattr(module, "n_groups", 1) > 1 or "router" in type(module).__name__.lower()


def _is_linear(module: nn.Module) -> bool:
    """Return whether a module is a linear layer; GPT-2's and those of quantizers are, too."""
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, Conv1D) or (
        hasattr(module, "in_features")
        and hasattr(module, "out_features")
        and next(module.children(), None) is None
    )
