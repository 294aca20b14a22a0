"""Quantizers: how a model's weights are held, and what its config tells of stored ones.

A model that was quantized before (GPTQ, AWQ, AQLM ...) tells the method in its `config.json`, under
`quantization_config`. Only the quantizer of that method opens it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core.model.evidence import config_of
from luthier.core.plugin import Plugin, Refusal
from luthier.core.problems import counted

if TYPE_CHECKING:
    from torch import nn

    from luthier.core.model.layers import LayerMap

logger = logging.getLogger(__name__)

KEY = "quantization_config"
"""The key of a model's config that tells how its weights are stored."""


class Quantizer(Plugin):
    """How a model's frozen weights are held: opened as they are stored, or rounded when loaded.

    A subclass sets `plan.quantization` in `plan_load` where `plan.stored` is None, and else leaves
    it to transformers, which reads the model's own config.
    """

    methods: ClassVar[frozenset[str]] = frozenset()
    """The `quant_method`s of the models that it opens."""
    quantizes: ClassVar[bool] = False
    """Whether it also takes weights that are stored whole, and quantizes them as it loads them."""
    traits: ClassVar = frozenset({"quantized"})
    refuses: ClassVar = (
        Refusal(
            "trains-base-weights",
            "weights that are held in few bits are too coarse to be trained; only an adapter "
            "beside them can be",
            "Choose a tuner that trains an adapter (`luthier plugins tuners`), or a model that is "
            "held whole",
        ),
    )

    @classmethod
    def opens(cls, stored: Mapping[str, Any]) -> bool:
        """Return whether it opens the models of such a `quantization_config`."""
        return stored.get("quant_method") in cls.methods

    @classmethod
    def stored_options(cls, stored: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003
        """Return those of its options that a model's config tells, with their values.

        Args:
            stored: the `quantization_config` of the model.
        """
        return {}


def stored_quantization(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a model's config tells of how its weights are stored; None where they are whole.

    Args:
        config: its `config.json`; a model of several parts tells it of the language model's.
    """
    text = config.get("text_config")
    found = config.get(KEY) or (text.get(KEY) if isinstance(text, Mapping) else None)
    return dict(found) if isinstance(found, Mapping) else None


def stored_at(location: Path | str, revision: str | None) -> dict[str, Any] | None:
    """Return what a model's config tells of its weights; on a Hub, where it was fetched.

    Args:
        location: the folder or Hub id that a family found.
        revision: the revision on the Hub.
    """
    folder = location if isinstance(location, Path) else _cached(location, revision)
    return stored_quantization(config_of(folder) or {}) if folder else None


def _cached(name: str, revision: str | None) -> Path | None:
    """Return the folder of a Hub's model in the cache; the run file was judged by its config."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, "config.json", revision=revision)
    return Path(found).parent if isinstance(found, str) else None


def weight_count(model: nn.Module) -> int:
    """Return how many weights a model has, however few bits they are held in; a tied one once."""
    seen: set[int] = set()
    count = 0
    for module in model.modules():
        own = [p for p in module.parameters(recurse=False) if id(p) not in seen]
        seen.update(map(id, own))
        inputs, outputs = (getattr(module, f"{side}_features", None) for side in ("in", "out"))
        tied = not own and next(module.parameters(recurse=False), None) is not None
        if inputs is None or outputs is None or tied or next(module.children(), None) is not None:
            count += sum(p.numel() for p in own)
            continue
        # what it holds may be packed, or be codes and no weights
        bias = getattr(module, "bias", None)
        count += inputs * outputs + (0 if bias is None else bias.numel())
    return count


def write_as_whole(model: Any) -> None:
    """Have a model that was made whole as it was read saved under the names of whole weights.

    transformers saves a model under the names that it was read by. Of one that it made whole (5.23,
    FP8 and MXFP4) these are the names of scales and blocks, beside a config that tells of none.

    Args:
        model: one of transformers; nothing is changed where its config tells of few bits.
    """
    if stored_quantization(model.config.to_dict()) is None:
        model._weight_conversions = None  # it is then saved as one that was never read  # noqa: SLF001


def warn_of_whole(model: nn.Module, layers: LayerMap) -> None:
    """Warn of the layers of the blocks that stay whole, with their share of all weights.

    Quantizers exchange linear modules; experts that are stacked in one tensor are none.
    """
    from luthier.core.model.layers import GROUPS

    named = [layers.parameters.get(name) for name in layers.names_of(*GROUPS["all"])]
    stacked = [model.get_parameter(name) for name in named if name is not None]
    whole = [one for one in stacked if one.ndim > MATRIX and one.is_floating_point()]
    if whole:
        logger.warning(
            "%s: %.0f%% of the weights. Only linear modules are held in few bits.",
            counted(
                len(whole),
                "layer stays whole, which is experts in one tensor",
                "layers stay whole, which are experts in one tensor",
            ),
            100 * sum(one.numel() for one in whole) / weight_count(model),
        )  # fmt: skip


MATRIX = 2
"""The axes of a weight that quantizers exchange."""
