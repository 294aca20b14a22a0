"""VeRA: vector-based random matrix adaptation (Kopiczko et al., 2023).

Source: https://arxiv.org/abs/2310.11454, equation 2: y = W x + b B d A x, where A and B are random,
frozen and shared by all layers, and the vectors b and d are trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import hookimpl
from luthier.core.model.layers import LayerMap
from luthier.plugins.tuners.peft_tuner import ModuleTuner

if TYPE_CHECKING:
    from luthier.core.hooks import Phase, Undo


class Vera(ModuleTuner):
    """Train two vectors beside each chosen linear layer, which scale shared random matrices."""

    rank: Annotated[int, Field(ge=1)] = 256
    """The rank of the random matrices; it costs little, so it is higher than LoRA's."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the layer's inputs dropped on the way into the matrices."""
    initial: Annotated[float, Field(gt=0)] = 0.1
    """What the vector between the matrices begins as."""
    seed: Annotated[int, Field(ge=0)] = 0
    """The seed of the random matrices."""

    method: ClassVar = "VERA"
    before: ClassVar = frozenset({"head-loss"})  # which tries the model out

    def traits_of_options(self) -> frozenset[str]:
        """Return that it trains vectors, where no module is trained in full besides."""
        return frozenset() if self.full else frozenset({"trains-vectors"})

    def config_of(self, names: list[str], layers: LayerMap, **shared: Any) -> Any:  # noqa: ARG002
        """Return a VeraConfig."""
        from peft import VeraConfig

        return VeraConfig(
            r=self.rank,
            vera_dropout=self.dropout,
            d_initial=self.initial,
            projection_prng_key=self.seed,
            save_projection=True,
            **shared,
        )

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> Undo | None:
        """Hold the random matrices as the vectors are held, which stand between them."""
        if phase == "adapted":
            buffers = dict(model.named_buffers())
            (dtype,) = {p.dtype for n, p in model.named_parameters() if "vera_lambda" in n}
            for name, values in buffers.items():
                if ".vera_A." in name or ".vera_B." in name:
                    owner, _, own = name.rpartition(".")
                    setattr(model.get_submodule(owner), own, values.to(dtype))
        return None
