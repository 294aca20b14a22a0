"""The expansion of a model by decoder layers that hand on what they get.

A sibling of the plugin, since it needs torch.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from luthier.core import BadModel
from luthier.core.model.layers import LayerMap, LayerType, Patterns
from luthier.core.model.modes import evaluated
from luthier.core.model.outlines import without_memory
from luthier.plugins.tuners.blocks import Blocks, parameters_of

OUTPUTS = (
    LayerType.ATTENTION_OUTPUT, LayerType.DOWN, LayerType.EXPERT_DOWN, LayerType.SHARED_EXPERT_DOWN,
    LayerType.STATE_SPACE_OUTPUT, LayerType.RECURRENT_OUTPUT,
)  # fmt: skip
"""What a decoder layer adds to its input comes out of these."""
OTHER_TUNER = "Choose another tuner, such as `lora`."


def expand(model: Any, blocks: Blocks, added: int, patterns: Patterns) -> None:
    """Put copies of decoder layers behind them that change nothing.

    Args:
        model: is changed, and its config.
        blocks: its decoder layers.
        added: how many are added: one after each of so many groups of equal size.
        patterns: what the model's family says of its layers.

    Raises:
        BadModel: the copies change something, or transformers would build another model of the
            config.
    """
    count = len(blocks.modules)
    before = _logits(model)
    numbers = grow(model, blocks, added)
    new = set(range(len(numbers))[count // added :: count // added + 1])
    _silence(model, blocks.name, new, patterns)
    if not torch.equal(before, _logits(model)):
        raise BadModel(
            f"a layer of {type(model).__name__} whose output projections are zero still changes "
            f"what it gets. {OTHER_TUNER}"
        )
    _require_rebuildable(model)


def grow(model: Any, blocks: Blocks, added: int) -> list[int]:
    """Put copies of decoder layers behind them, which are as they are.

    Args:
        model: is changed, and its config.
        blocks: its decoder layers.
        added: how many are added: one after each of so many groups of equal size.

    Returns:
        Of each layer of the expanded model, the number of that which it is, or copies.
    """
    numbers = _numbers(len(blocks.modules), added)
    _copy_blocks(blocks, numbers)
    _expand_config(model.config.get_text_config(), numbers)
    return numbers


def _numbers(count: int, added: int) -> list[int]:
    """Return of each layer of the expanded model the number of that which it is, or copies."""
    group = count // added
    return [
        number
        for first in range(0, count, group)
        for number in (*range(first, first + group), first + group - 1)
    ]


def _copy_blocks(blocks: Blocks, numbers: list[int]) -> None:
    old: list[Any] = list(blocks.modules)
    copied = [n == before for n, before in zip(numbers, [None, *numbers], strict=False)]
    expanded = [
        copy.deepcopy(old[n]) if again else old[n] for n, again in zip(numbers, copied, strict=True)
    ]
    for new, (number, block) in enumerate(zip(numbers, expanded, strict=True)):
        for module in block.modules():
            # the place in the cache of keys and values
            if getattr(module, "layer_idx", None) == number:
                module.layer_idx = new
    del blocks.modules[:]
    blocks.modules.extend(expanded)


def _expand_config(config: Any, numbers: list[int]) -> None:
    """Set the number of layers, and what the config says of each layer."""
    old = max(numbers) + 1
    for key, value in vars(config).items():
        if "layer" in key and isinstance(value, list) and len(value) == old:
            setattr(config, key, [value[n] for n in numbers])
    config.num_hidden_layers = len(numbers)


def _silence(model: Any, prefix: str, new: set[int], patterns: Patterns) -> None:
    """Set the output projections of the new layers to zero.

    Raises:
        BadModel: one has none.
    """
    layers = LayerMap.of(model, patterns)
    within = Blocks(prefix, nn.ModuleList())
    silenced = set()
    for name in layers.names_of(*OUTPUTS):
        number = within.number_of(name)
        if number in new:
            silenced.add(number)
            for parameter in parameters_of(model, layers, name):
                nn.init.zeros_(parameter)
    if silenced != new:
        raise BadModel(
            f"the output projections of the decoder layers of {type(model).__name__} are not "
            f"known. {OTHER_TUNER}"
        )


def _logits(model: Any) -> torch.Tensor:
    with evaluated(model), torch.no_grad():
        ids_BT = torch.arange(1, 9, device=next(model.parameters()).device)[None]
        logits: torch.Tensor = model(input_ids=ids_BT, use_cache=False).logits
    return logits


def _require_rebuildable(model: Any) -> None:
    """Refuse a model that transformers builds otherwise from the new config: none could load it.

    Raises:
        BadModel: a layer would be another.
    """
    with without_memory():
        built = type(model)(copy.deepcopy(model.config))
    expected, own = ({n: p.shape for n, p in m.named_parameters()} for m in (built, model))
    if expected != own:
        other = sorted(expected.items() ^ own.items())[0][0]
        raise BadModel(
            f"{other} would be another in a {type(model).__name__} of more layers: its layers are "
            f"not alike. {OTHER_TUNER}"
        )
