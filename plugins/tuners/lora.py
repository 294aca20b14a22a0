"""LoRA: low-rank adaptation (Hu et al., 2022, https://arxiv.org/abs/2106.09685).

The frozen weight W of a linear layer is joined by B A, of rank r: y = W x + (alpha / r) B A x.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from luthier.core import Plugin, hookimpl

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
    """`all` linear layers, `attention`, `mlp`, a list of layer names, or a regular expression."""

    traits: ClassVar = frozenset({"adapter"})
    serves: ClassVar = "training"

    @hookimpl
    def attach_adapter(
        self, model: nn.Module, layers: LayerMap, vocabulary: Vocabulary
    ) -> nn.Module | None:
        """Return the model wrapped by PEFT, the matrices and the rows of new tokens trainable."""
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=self.rank,
            lora_alpha=2 * self.rank if self.alpha is None else self.alpha,
            lora_dropout=self.dropout,
            target_modules=layers.resolve(self.targets),
            trainable_token_indices=vocabulary.modules(model) or None,
            task_type="CAUSAL_LM",
        )
        adapted: nn.Module = get_peft_model(model, config)
        return adapted
