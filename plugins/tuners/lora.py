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
    from luthier.core.model.vocabulary import Vocabulary


class Lora(Plugin):
    """Train two low-rank matrices beside each chosen linear layer."""

    rank: Annotated[int, Field(ge=1)] = 8
    """The rank of the matrices."""
    alpha: Annotated[float, Field(gt=0)] | None = None
    """The update is scaled by alpha / rank; twice the rank where it is not given."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the layer's inputs dropped on the way into the matrices."""
    targets: str | list[str] = "all"
    """`all` linear layers, `attention`, `mlp`, `experts`, `state-space`, a type such as
    `attention-query`, a list of these and of layer names, or a regular expression."""

    traits: ClassVar = frozenset({"adapter"})
    serves: ClassVar = "training"

    @hookimpl
    def attach_adapter(
        self, model: nn.Module, layers: LayerMap, vocabulary: Vocabulary
    ) -> nn.Module | None:
        """Return the model wrapped by PEFT, the matrices and the rows of new tokens trainable."""
        from peft import LoraConfig, get_peft_model

        targets = layers.resolve(self.targets, beside=True)
        modules, parameters = _addressed(model, targets, layers)
        if parameters and self.dropout:
            raise BadModel(
                f"LoRA has no dropout on {parameters[0]}, which PEFT adapts as a tensor, as all "
                "experts. Set `dropout: 0`, or choose other `targets`, such as `attention`."
            )
        config = LoraConfig(
            r=self.rank,
            lora_alpha=2 * self.rank if self.alpha is None else self.alpha,
            lora_dropout=self.dropout,
            target_modules=modules,
            target_parameters=parameters or None,
            trainable_token_indices=vocabulary.modules(model) or None,
            task_type="CAUSAL_LM",
        )
        with warnings.catch_warnings():
            # PEFT sees for each layer whether it is a Conv1D, and tells that it saw
            warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
            adapted: nn.Module = get_peft_model(model, config)
        return adapted


def _addressed(
    model: nn.Module, targets: list[str], layers: LayerMap
) -> tuple[list[str], list[str]]:
    """Return the targets that PEFT is told by a module's name, and those by a parameter's.

    Raises:
        BadModel: a quantizer holds what could be told by the parameter alone.
    """
    taken = {end for end in {name.rpartition(".")[2] for name in targets} if _taken(model, end)}
    modules, parameters = [], []
    for name in targets:
        if name in layers.parameters:
            parameters.append(layers.parameters[name])
        elif name.rpartition(".")[2] in taken:
            if not model.get_parameter(f"{name}.weight").is_floating_point():
                raise BadModel(
                    f"PEFT cannot lay LoRA on {name} of this model while it is quantized. "
                    "Choose other `targets`, such as `attention`."
                )
            parameters.append(f"{name}.weight")
        else:
            modules.append(name)
    return modules, parameters


def _taken(model: nn.Module, end: str) -> bool:
    """Return whether PEFT takes a name for that of an expert, as it was before transformers 5.

    It would lay the adapter on the model's stacked experts, and the layer of this name, a shared
    expert's, would stay without.
    """
    from peft import LoraConfig
    from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers

    probe = LoraConfig(target_modules=[end])
    try:
        convert_peft_config_for_transformers(probe, model, None)
    except ValueError:  # it wants the other half of the fused layer beside it
        return True
    return end not in probe.target_modules
