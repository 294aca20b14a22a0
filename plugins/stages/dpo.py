"""Direct preference optimization and its kin: learn which of two answers is preferred.

Sources: DPO (Rafailov et al., 2023, https://arxiv.org/abs/2305.18290); `label_smoothing` is cDPO's
(Mitchell, 2023, https://ericmitchell.ai/cdpo.pdf); `robust` (Chowdhury et al., 2024,
https://arxiv.org/abs/2403.00409); `hinge` is SLiC-HF's (Zhao et al., 2023,
https://arxiv.org/abs/2305.10425); `ipo` (Azar et al., 2023, https://arxiv.org/abs/2310.12036);
`simpo` (Meng et al., 2024, https://arxiv.org/abs/2405.14734); `cpo` (Xu et al., 2024,
https://arxiv.org/abs/2401.08417); `orpo` (Hong et al., 2024, https://arxiv.org/abs/2403.07691).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from luthier.core import Refusal, hookimpl
from luthier.plugins.stages.pairs import PairStage

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob
    from luthier.core.training import Trainer

NO_REFERENCE = {"simpo", "cpo", "orpo"}
OF_MEANS = {"ipo", "simpo", "orpo"}


class DirectPreference(PairStage):
    """Train on pairs of answers, so that the preferred one grows likelier than the other."""

    loss: Literal["sigmoid", "robust", "hinge", "ipo", "simpo", "cpo", "orpo"] = "sigmoid"
    """What is made of a pair: `sigmoid` is DPO's. `simpo`, `cpo` and `orpo` compare with no
    reference."""
    beta: Annotated[float, Field(gt=0)] | None = None
    """What a log-ratio is multiplied by, the higher, the closer to the reference; with `orpo` the
    weight of the odds ratio. If not given, it is 2 with `simpo`, and else 0.1."""
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Which share of the preferences is taken for mistaken, by `sigmoid`, `cpo` and `robust`."""
    margin: Annotated[float, Field(ge=0)] = 0.5
    """By how much the rewards of `simpo` are to differ at least."""
    answer_weight: Annotated[float, Field(ge=0)] | None = None
    """The weight of the preferred answer's own loss, that of a token on average; if not given, 1
    with `cpo` and `orpo`, of whose losses it is a part, and else 0."""
    beyond_shorter: Annotated[float, Field(ge=0, le=1)] = 1.0
    """What tokens beyond the length of the shorter answer count for (LD-DPO's alpha), by losses
    that compare sums of tokens: `sigmoid`, `robust`, `hinge` and `cpo`."""
    reference: str | None = None
    """Another model to compare with: a run folder, a model's folder or a Hub id; if not given, it
    is the model as it began."""
    precompute_reference: bool = False
    """Ask the reference of all rows before the first step, and hold none in training."""

    refuses: ClassVar = (
        Refusal(
            "shards-weights",
            "a part of the weights alone cannot stand for the reference",
            "Train on one device, or choose another stage",
        ),
    )

    @model_validator(mode="after")
    def _smoothing_is_of_a_loss_that_has_it(self) -> DirectPreference:
        if self.label_smoothing and self.loss not in {"sigmoid", "robust", "cpo"}:
            losses = "sigmoid, robust and cpo"
            raise ValueError(f"`label_smoothing` is of the losses {losses}, not of {self.loss}")
        return self

    @model_validator(mode="after")
    def _sums_alone_grow_with_an_answer(self) -> DirectPreference:
        if self.beyond_shorter != 1 and self.loss in OF_MEANS:
            raise ValueError(
                f"`beyond_shorter` is of losses that compare sums, and {self.loss} compares means "
                "of tokens, which a longer answer makes no larger; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _a_reference_is_of_a_loss_that_has_one(self) -> DirectPreference:
        if not self.needs_reference and (self.reference is not None or self.precompute_reference):
            option = "precompute_reference" if self.reference is None else "reference"
            raise ValueError(f"`{option}` is set, and the loss {self.loss} compares with none")
        return self

    @property
    def needs_reference(self) -> bool:
        """Whether the loss compares with a reference."""
        return self.loss not in NO_REFERENCE

    @property
    def factor(self) -> float:
        """`beta`, or what it is where it is not given: means differ by less than sums do."""
        if self.beta is None:
            return 2.0 if self.loss == "simpo" else 0.1
        return self.beta

    @property
    def weight_of_answers(self) -> float:
        """The weight of the preferred answers' own loss."""
        if self.answer_weight is None:
            return float(self.loss in {"cpo", "orpo"})
        return self.answer_weight

    @hookimpl
    def build_trainer(self, job: TrainingJob) -> Trainer | None:
        """Return the trainer with the mean loss over the pairs of each step."""
        from luthier.plugins.stages.preferences import PreferenceTrainer

        return PreferenceTrainer(job, self)
