"""AdaLoRA: low-rank adaptation whose ranks go where they count (Zhang et al., 2023).

Source: https://arxiv.org/abs/2303.10512. The update of a layer is P E Q, E a diagonal
matrix. Of all layers together the least important numbers of E become zero in the training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from luthier.core import hookimpl
from luthier.core.model.layers import LayerMap
from luthier.plugins.tuners.peft_tuner import ModuleTuner

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from luthier.core.run.job import TrainingJob

Share = Annotated[float, Field(ge=0, lt=1)]


class AdaLora(ModuleTuner):
    """Train low-rank matrices whose ranks are cut, over all layers, to the most important."""

    rank: Annotated[int, Field(ge=1)] = 8
    """The rank that layers have at the end, on average."""
    initial_rank: Annotated[int, Field(ge=1)] = 12
    """The rank that each begins with."""
    alpha: Annotated[float, Field(gt=0)] | None = None
    """The update is scaled by alpha / rank; twice the initial rank where it is not given."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the layer's inputs dropped on the way into the matrices."""
    warmup: Share = 0.1
    """The share of all steps before any rank is cut."""
    settled: Share = 0.3
    """The share of all steps, at the end, in which ranks stay as they are."""
    every: Annotated[int, Field(ge=1)] = 1
    """Steps between two cuts."""
    orthogonality: Annotated[float, Field(ge=0)] = 0.5
    """The weight of what keeps the columns of P and the rows of Q orthogonal."""

    method: ClassVar = "ADALORA"
    traits: ClassVar = frozenset({"adapter", "fixed-embedding"})

    @model_validator(mode="after")
    def _leaves_steps_to_cut_in(self) -> AdaLora:
        if self.warmup + self.settled >= 1:
            raise ValueError("warmup and settled take all steps, and leave none to cut ranks in")
        if self.initial_rank < self.rank:
            raise ValueError("initial_rank is below rank, so there is nothing to cut")
        return self

    def config_of(self, names: list[str], layers: LayerMap, **shared: Any) -> Any:  # noqa: ARG002
        """Return an AdaLoraConfig; the number of steps is set when it is known."""
        from peft import AdaLoraConfig

        return AdaLoraConfig(
            target_r=self.rank,
            init_r=self.initial_rank,
            lora_alpha=2 * self.initial_rank if self.alpha is None else self.alpha,
            lora_dropout=self.dropout,
            deltaT=self.every,
            orth_reg_weight=self.orthogonality,
            total_step=1,
            **shared,
        )

    @hookimpl
    def build_callback(self, job: TrainingJob) -> TrainerCallback | None:
        """Return what cuts the ranks after each step."""
        from luthier.plugins.tuners.rank_allocation import RankAllocation

        return RankAllocation(job.opened.model, self)
