"""LoRA: low-rank adaptation (Hu et al., 2022, https://arxiv.org/abs/2106.09685).

The frozen weight W of a linear layer is joined by B A, of rank r: y = W x + (alpha / r) B A x.
Experts that a model holds in one tensor get a pair of matrices each. With `rslora` the update is
scaled by alpha / sqrt(r) (Kalajdzievski, 2023, https://arxiv.org/abs/2312.03732).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from luthier.core import Need, Refusal, hookimpl
from luthier.plugins.tuners.low_rank import LowRank

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainerCallback

    from luthier.core.hooks import Phase, Undo
    from luthier.core.model.layers import LayerMap
    from luthier.core.model.vocabulary import Vocabulary
    from luthier.core.run.job import TrainingJob

TAKING = "takes-from-weights"


class Lora(LowRank):
    """Train two low-rank matrices beside each chosen linear layer."""

    init: Literal["default", "gaussian", "pissa", "olora", "loftq", "eva"] = "default"
    """How the matrices begin: as no change, random or with the first directions of the inputs
    (eva); as the first directions of the weight, which is left the rest (pissa, olora); or as what
    a quantizer of 4 bits took away (loftq)."""
    init_iterations: Annotated[int, Field(ge=0)] = 16
    """Iterations of the fast decomposition of pissa; 0 for the exact one, which is slow."""

    def traits_of_options(self) -> frozenset[str]:
        """Return that `eva` looks at the rows; that `pissa` and `olora` take from the weights."""
        traits = {"eva": "reads-ahead", "pissa": TAKING, "olora": TAKING}
        return frozenset({traits[self.init]} if self.init in traits else ())

    def rules_of_options(self) -> tuple[Refusal | Need, ...]:
        """Return what a beginning that is made of the weights asks of these."""
        if self.init == "loftq":
            reason = "`init: loftq` makes good for what 4 bits take from the weights"
            return (Need("rounded-to-4-bits", reason, "Add `quantizer: bnb`, or leave `init` out"),)
        if self.init in {"pissa", "olora"}:
            reason = (
                f"`init: {self.init}` takes the matrices out of the weights and leaves them the "
                "rest, which few bits cannot hold"
            )
            return (Refusal("quantized", reason, "Leave it out, or choose `init: loftq`"),)
        return ()

    def settings(self, model: Any, modules: list[str]) -> dict[str, Any]:
        """Return how the matrices begin, in PEFT's words."""
        from luthier.plugins.tuners import initialisation

        initialisation.require_linear(self.init, model, modules)
        if self.init == "pissa" and self.init_iterations:
            return {"init_lora_weights": f"pissa_niter_{self.init_iterations}"}
        if self.init == "eva":
            from peft import EvaConfig

            # ranks that are given anew would be no longer those of the run file
            return {"init_lora_weights": "eva", "eva_config": EvaConfig(rho=1.0)}
        plain = self.init in {"default", "loftq"}
        return {"init_lora_weights": True if plain else self.init}

    @hookimpl
    def attach_adapter(
        self, model: Any, layers: LayerMap, vocabulary: Vocabulary, adapter: Path | None
    ) -> nn.Module | None:
        """Return the model wrapped by PEFT, its matrices as `init` says."""
        adapted = super().attach_adapter(model, layers, vocabulary, adapter)
        if self.init == "loftq" and adapter is None:
            from luthier.plugins.tuners.initialisation import fit_to_quantized

            fit_to_quantized(adapted)
        return adapted

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> Undo | None:
        """Return what makes a plain LoRA of matrices that took their beginning out of the weights.

        It is called before the model is saved, so that the adapter belongs to the model as it was.
        """
        if phase == "built" or self.init not in {"pissa", "olora"}:
            return None
        from luthier.plugins.tuners.initialisation import conversion

        return conversion(model)

    @hookimpl
    def build_callback(self, job: TrainingJob) -> TrainerCallback | None:
        """Return what begins with the directions of the data's inputs, before the first step."""
        if self.init != "eva":
            return None
        from luthier.plugins.tuners.initialisation import BeginningFromData

        return BeginningFromData(job)
