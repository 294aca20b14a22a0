"""Attention is a slot: one backend, and any number of wrappers over it.

The composition is registered with transformers once, under a name of its own, so that every
architecture that goes through transformers' attention interface takes it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from luthier.core.errors import BadModel
from luthier.core.hooks import Attention
from luthier.core.wiring import steps

if TYPE_CHECKING:
    import pluggy
    from transformers import PreTrainedModel

DEFAULT_BACKEND = "sdpa"
_PREFIX = "luthier_"
_numbers = itertools.count(1)


def composed_attention(backend: str | None, manager: pluggy.PluginManager) -> str | None:
    """Return transformers' name of the attention that a model slot is to use.

    Args:
        backend: the backend that a plugin chose, or None for transformers' own choice.
        manager: the slot's plugins; their `wrap_attention` are laid over the backend, the first
            of the run file innermost.

    Raises:
        BadModel: the backend cannot be wrapped, as it is not in transformers' interface.
    """
    wrappers = list(steps(manager, "wrap_attention"))
    if not wrappers:
        return backend
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    name = backend or DEFAULT_BACKEND
    if name not in ALL_ATTENTION_FUNCTIONS:
        there = ", ".join(sorted(ALL_ATTENTION_FUNCTIONS.valid_keys()))
        owners = ", ".join(wrapper.owner for wrapper in wrappers)
        raise BadModel(
            f"{owners} cannot be laid over the attention backend {name!r}, which is not in "
            f"transformers' attention interface. Choose one of: {there}."
        )
    attention: Attention = ALL_ATTENTION_FUNCTIONS[name]
    for wrapper in wrappers:
        attention = wrapper.call(attention=attention) or attention
    # the number keeps two runs of one process apart, whose wrappers may have other options
    own = f"{_PREFIX}{name}_{next(_numbers)}"
    AttentionInterface.register(own, attention)
    AttentionMaskInterface.register(own, ALL_MASK_ATTENTION_FUNCTIONS[name])
    return own


def backend_of(model: PreTrainedModel) -> str:
    """Return transformers' name of a model's attention backend, whatever is laid over it."""
    name = str(model.config._attn_implementation)  # noqa: SLF001 - there is no other way to ask
    return name.removeprefix(_PREFIX).rpartition("_")[0] if name.startswith(_PREFIX) else name
