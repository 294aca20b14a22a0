"""Attention is a slot: one backend, and any number of wrappers over it.

The composition is registered with transformers once, under a name of its own, so that every
architecture that goes through transformers' attention interface takes it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadModel
from luthier.core.hooks import Attention
from luthier.core.model.sequencewise import SEQUENCEWISE, sequencewise_attention
from luthier.core.wiring import steps

if TYPE_CHECKING:
    import pluggy
    import torch
    from transformers import PreTrainedModel

    from luthier.core.model.opening import ModelSpec

DEFAULT_BACKEND = "sdpa"
WITHOUT_SDPA = frozenset(
    {
        "big_bird", "bigbird_pegasus", "bloom", "codegen", "cpmant", "deepseek_v4", "falcon_mamba",
        "flint", "gemma2", "git", "got_ocr2", "gpt_neo", "gpt_neox_japanese",
        "gpt_oss", "gptj", "granite_swa", "granitemoe_swa", "hy_v4", "inkling2_text", "mamba",
        "mamba2", "megatron-bert", "mimo_v2_flash", "mpt", "mvp", "openai-gpt", "prophetnet",
        "reformer", "rembert", "roformer", "rwkv", "trocr", "vaultgemma", "xglm", "xlm", "xlnet",
        "xlstm",
    }
)  # fmt: skip
"""Model types of transformers that do not take SDPA: their scores have caps, sinks or biases, their
code computes attention by itself, or there is none."""
CAPPED = frozenset({"gemma2", "vaultgemma"})
"""Those of them whose scores have a cap, which our attention over SDPA computes."""
SELECTIVE = frozenset(
    {
        "axk2", "deepseek_v32", "dots3_note", "dots3_note_text", "glm5_next", "glm5_next_text",
        "glm_moe_dsa", "hy_v4", "minimax_m3_vl", "minimax_m3_vl_text", "mistral_large4",
        "mistral_large4_text",
    }
)  # fmt: skip
"""Those whose code chooses the keys that a token sees, and masks the others only where the backend
has the name `eager` or `sdpa`: under any other name their attention would be full, in silence."""
BIASED = frozenset({"inkling_text"})
"""Those that take SDPA, and hand it a bias that is lost where anything is laid over it."""
UNWRAPPED = (WITHOUT_SDPA - CAPPED) | SELECTIVE | BIASED | {"falcon"}
"""Model types whose attention nothing can be laid over; Falcon's code calls SDPA by itself."""
FLASH = "flash"
"""What transformers knows a flash kernel by: a part of its name."""
_WITHOUT = "Leave out the patches of attention, or choose another model."
_PREFIX = "luthier_"
_numbers = itertools.count(1)
_backends: dict[str, str] = {}
"""The backend beneath each composition, by the name that it was registered under."""


def composed_attention(backend: str | None, manager: pluggy.PluginManager) -> str | None:
    """Return transformers' name of the attention that a model slot is to use.

    Args:
        backend: the backend that a plugin chose, or None for transformers' own choice; beneath
            wrappers that is SDPA, which caps scores where a model does.
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
        owners = ", ".join(wrapper.owner for wrapper in wrappers)
        raise _not_wrapped(name, owners, ALL_ATTENTION_FUNCTIONS.valid_keys())
    attention: Attention = ALL_ATTENTION_FUNCTIONS[name] if backend else sequencewise_attention
    if FLASH in name:
        attention = functools.partial(_under_its_name, attention, name)
    for wrapper in wrappers:
        attention = wrapper.call(attention=attention) or attention
    # transformers would load a kernel of any name that has `flash` in it, and refuse one that has
    # `sdpa` in it for a model with caps; the number keeps two runs of one process apart, whose
    # wrappers may have other options
    stem = "kernel" if FLASH in name else backend or "attention"
    own = f"{_PREFIX}{stem}_{next(_numbers)}"
    AttentionInterface.register(own, _in_order(attention))
    AttentionMaskInterface.register(own, ALL_MASK_ATTENTION_FUNCTIONS[name])
    _backends[own] = name
    return own


def _in_order(attention: Attention) -> Attention:
    """Return attention that may be called by transformers' names, as some models do."""

    def called(
        module: Any, query: Any, key: Any, value: Any, attention_mask: Any = None, **named: Any
    ) -> Any:
        return attention(module, query, key, value, attention_mask, **named)

    return called


def _not_wrapped(name: str, owners: str, there: Iterable[str]) -> BadModel:
    return BadModel(
        f"{owners} cannot be laid over the attention backend {name!r}, which is not in "
        f"transformers' attention interface. Choose one of: {', '.join(sorted(there))}."
    )


def backend_of(model: PreTrainedModel) -> str:
    """Return transformers' name of a model's attention backend, whatever is laid over it."""
    name = str(model.config._attn_implementation)  # noqa: SLF001 - there is no other way to ask
    return _backends.get(name, name)


def unwrapped(config: Mapping[str, Any]) -> str | None:
    """Return a model's type, or that of its text, where nothing can be laid over its attention."""
    text = config.get("text_config")
    kinds = [
        config.get("model_type"),
        text.get("model_type") if isinstance(text, Mapping) else None,
    ]
    return next((kind for kind in kinds if kind in UNWRAPPED), None)


def why_unwrapped(kind: str) -> str:
    """Return why nothing can be laid over the attention of models of an `UNWRAPPED` type."""
    if kind in SELECTIVE:
        how = "choose the keys that a token sees, and only under the names `sdpa` and `eager`"
    elif kind in BIASED:
        how = "add a bias to their scores"
    else:
        how = "compute attention in code of their own, or have none, or sinks or biases"
    return f"models of the type {kind} {how}; nothing can be laid over their attention"


def require_interface(attention: str | None, model: ModelSpec, location: Path | str) -> None:
    """Refuse attention for a model whose code would not call it, or needs another.

    Args:
        attention: the name of the attention that it is to be loaded with; None for its own choice.
        model: what the run file says of the model.
        location: where it lies.

    Raises:
        BadModel: the model computes attention in code of its own, not by transformers' interface,
            or as SDPA cannot.
    """
    from luthier.core.model.architectures import class_at, config_at

    ours = attention in _backends or attention == SEQUENCEWISE
    if not ours and attention != DEFAULT_BACKEND:
        return
    kind = unwrapped(config_at(location, model.revision).to_dict()) if ours else None
    if kind is not None and kind in SELECTIVE | BIASED:
        raise BadModel(f"{why_unwrapped(kind)}. {_WITHOUT}")
    made: Any = class_at(location, model.revision)
    if made is None:
        return
    if ours and not made._can_set_attn_implementation():  # noqa: SLF001 - nothing else tells
        raise BadModel(
            f"{made.__name__} computes attention in code of its own, which nothing can be laid "
            f"over. {_WITHOUT}"
        )
    backend = _backends.get(str(attention), attention)
    if backend not in {DEFAULT_BACKEND, SEQUENCEWISE} or made._supports_sdpa:  # noqa: SLF001
        return
    fault = f"{made.__name__} computes attention as SDPA cannot"
    if not ours:
        raise BadModel(f"{fault}. Name no backend, or choose another.")
    if getattr(made.config_class, "model_type", None) not in CAPPED:
        raise BadModel(f"{fault}, which is to be beneath what is laid over it. {_WITHOUT}")


def folded(states_BHTD: torch.Tensor, count: int) -> torch.Tensor:
    """Return so many stretches of equal length as rows of a batch, each row's one after another."""
    batch, heads, length, size = states_BHTD.shape
    parts = states_BHTD.reshape(batch, heads, count, length // count, size)
    return parts.transpose(1, 2).flatten(0, 1)


def unfolded(output_BTHD: torch.Tensor, count: int) -> torch.Tensor:
    """Return what attention gave for stretches, so many to a row, as rows again."""
    return output_BTHD.reshape(len(output_BTHD) // count, -1, *output_BTHD.shape[2:])


def _under_its_name(attention: Attention, name: str, module: Any, *rest: Any, **named: Any) -> Any:
    """Call flash attention, which finds its kernel by the name in the module's config."""
    config = _Changed(module.config, _attn_implementation=name)
    return attention(_Changed(module, config=config), *rest, **named)


class _Changed:
    """An object as it is, but for some attributes."""

    def __init__(self, held: Any, **changes: Any) -> None:
        self.__dict__.update(changes, _held=held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._held, name)
