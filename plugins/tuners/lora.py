"""LoRA: low-rank adaptation (Hu et al., 2022, https://arxiv.org/abs/2106.09685).

The frozen weight W of a linear layer is joined by B A, of rank r: y = W x + (alpha / r) B A x.
Experts that a model holds in one tensor get a pair of matrices each.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from luthier.core import BadModel, Plugin, hookimpl

if TYPE_CHECKING:
    from torch import nn

    from luthier.core.model.layers import LayerMap


class Lora(Plugin):
    """Train two low-rank matrices beside each chosen linear layer."""

    rank: Annotated[int, Field(ge=1)] = 8
    """The rank of the matrices."""
    alpha: Annotated[float, Field(gt=0)] | None = None
    """The update is scaled by alpha / rank; twice the rank where it is not given."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the layer's inputs dropped on the way into the matrices."""
    targets: str | list[str] = "all"
    """`all` linear layers, `attention`, `mlp`, a list of layer names, or a regular expression."""

    traits: ClassVar = frozenset({"adapter"})
    serves: ClassVar = "training"

    @hookimpl
    def attach_adapter(self, model: nn.Module, layers: LayerMap) -> nn.Module | None:
        """Return the model wrapped by PEFT, the matrices alone trainable."""
        from peft import LoraConfig, get_peft_model

        targets = layers.resolve(self.targets)
        stacked = [layers.parameters[name] for name in targets if name in layers.parameters]
        if stacked and self.dropout:
            raise BadModel(
                f"{stacked[0]} and {len(stacked) - 1} more of the targets are parameters, whose "
                "inputs LoRA cannot drop. Set `dropout: 0`, or choose other `targets`, such as "
                "`attention`."
            )
        config = LoraConfig(
            r=self.rank,
            lora_alpha=2 * self.rank if self.alpha is None else self.alpha,
            lora_dropout=self.dropout,
            target_modules=[name for name in targets if name not in layers.parameters],
            target_parameters=stacked or None,
            task_type="CAUSAL_LM",
        )
        with warnings.catch_warnings():
            # PEFT finds out for each layer whether it is a Conv1D, and tells that it did
            warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
            try:
                adapted: nn.Module = get_peft_model(model, config)
            except ValueError as fault:
                raise BadModel(
                    f"LoRA cannot be laid on these targets: {fault} Choose other `targets`."
                ) from fault
        return adapted
