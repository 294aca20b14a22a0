"""(IA)3: infused adapter by inhibiting and amplifying inner activations (Liu et al., 2022).

Source: https://arxiv.org/abs/2205.05638, section 3.3. A trained vector scales the outputs of the
keys and the values, and the inputs of the last layer of each MLP.
"""

from __future__ import annotations

from typing import Any, ClassVar

from luthier.core.model.layers import LayerMap, LayerType
from luthier.plugins.tuners.peft_tuner import ModuleTuner

USUAL = ("attention-key", "attention-value", "mlp-down")
STANDING_IN = (
    LayerType.KEY, LayerType.VALUE, LayerType.QUERY_KEY_VALUE, LayerType.KEY_VALUE_UP,
    LayerType.DOWN, LayerType.SHARED_EXPERT_DOWN, LayerType.EXPERT_DOWN,
)  # fmt: skip
"""What gives keys and values, alone or with others, and what ends an MLP."""
AT_THE_INPUT = frozenset({LayerType.DOWN, LayerType.SHARED_EXPERT_DOWN, LayerType.EXPERT_DOWN})


class Ia3(ModuleTuner):
    """Train a vector that scales the outputs of each chosen layer, or an MLP's activations."""

    targets: str | tuple[str, ...] = USUAL
    """As of `lora`: keys, values and the last layer of each MLP by default, or the layers that
    these are in; experts that are one tensor are left out."""

    method: ClassVar = "IA3"
    scales: ClassVar = frozenset({"ia3_l"})

    def traits_of_options(self) -> frozenset[str]:
        """Return that it trains vectors, where no module is trained in full besides."""
        return frozenset() if self.full else frozenset({"trains-vectors"})

    def wanted(self, layers: LayerMap) -> str | tuple[str, ...]:
        """Return the targets; of the usual ones, those that the model has, or what holds them."""
        if self.targets != USUAL:
            return self.targets
        stacked = {layers.types[name] for name in layers.parameters}
        there = {kind for _, kind in layers} - stacked
        return tuple(kind.value for kind in STANDING_IN if kind in there) or USUAL

    def config_of(self, names: list[str], layers: LayerMap, **shared: Any) -> Any:
        """Return an IA3Config."""
        from peft import IA3Config

        at_the_input = [name for name in names if layers.types[name] in AT_THE_INPUT]
        return IA3Config(feedforward_modules=at_the_input, **shared)
