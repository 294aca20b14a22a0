"""The best evaluation of a run: its step is kept, and it may end the run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from luthier.core.errors import LuthierError
from luthier.core.training.figures import LOSS, MEAN
from luthier.core.training.measuring import falling_figures, measured_figures
from luthier.registry.errors import nearest

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob


class Best(TrainerCallback):
    """Has a checkpoint written of each step that is better than all before it."""

    def __init__(
        self, validation: str, figure: str, patience: int | None, *, falling: bool
    ) -> None:
        """Look at one figure of one validation set.

        Args:
            validation: the name of the set.
            figure: `loss`, one of the stage's means, or one of an observer's.
            patience: after so many evaluations that are no better the run ends; None for never.
            falling: whether less is better.
        """
        self.validation, self.figure, self.patience = validation, figure, patience
        self.falling = falling
        self.step: int | None = None
        self.value = math.nan
        self.waited = 0
        self.lost = False
        """Whether its checkpoint is gone: a damaged one was gone on from one before it."""

    @classmethod
    def of(
        cls,
        job: TrainingJob,
        figures: Sequence[str],
        falling: AbstractSet[str] = frozenset(),
        default: str = LOSS,
    ) -> Best | None:
        """Return what looks for the best step as a run file says; None where it does not ask.

        Args:
            job: the run.
            figures: what the stage tells of each evaluation.
            falling: those of which less is better; of the loss it is, too.
            default: the one that is looked at where the file has a patience and names none.

        Raises:
            LuthierError: the file names a figure that neither the stage nor an observer tells.
        """
        evaluation = job.run.evaluation
        asked = evaluation.best or (default if evaluation.patience else None)
        if asked is None or not job.validation:
            return None
        validation, figure = parted(asked, list(job.validation))
        figures = list(dict.fromkeys((*figures, *measured_figures(job))))
        if figure not in figures:
            raise LuthierError(
                f"evaluation.best: there is no figure {figure!r}. {nearest(figure, figures)}"
                f"An evaluation of this run tells: {', '.join(figures)}."
            )
        falls = figure in {LOSS, *falling, *falling_figures(job)}
        return cls(validation, figure, evaluation.patience, falling=falls)

    @property
    def ended(self) -> bool:
        """Whether it has been waited long enough for a better one."""
        return self.patience is not None and self.waited >= self.patience

    def on_evaluate(self, args: Any, state: Any, control: Any, **told: Any) -> None:  # noqa: ARG002
        """Compare; a step that is better is to be kept. What the model began as is no step."""
        if not state.global_step:
            return
        prefix = f"eval_{self.validation}_"
        name = self.figure if self.figure == LOSS else f"{MEAN}{self.figure}"
        value = told["metrics"].get(prefix + name)
        if value is None:  # that of another set
            return
        if self._is_better(value):
            self.step, self.value, self.waited = state.global_step, value, 0
            control.should_save = True
            return
        self.waited += 1
        if self.ended:
            # with a checkpoint, so that whoever goes on from here knows that it has ended
            control.should_save = control.should_training_stop = True

    def _is_better(self, value: float) -> bool:
        if math.isnan(value) or self.step is None:
            return not math.isnan(value)
        return value < self.value if self.falling else value > self.value

    def state(self) -> dict[str, Any]:
        """Return what is known so far."""
        return {"step": self.step, "value": self.value, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.step, self.value, self.waited = state["step"], state["value"], state["waited"]

    def facts(self) -> dict[str, Any]:
        """Return what the manifest keeps."""
        return {
            "step": self.step, "validation": self.validation, "figure": self.figure,
            "value": self.value,
        }  # fmt: skip

    def __str__(self) -> str:
        return f"{self.figure} {self.value:.4f} at step {self.step}"


def parted(asked: str, sets: Sequence[str]) -> tuple[str, str]:
    """Return the validation set and the figure that `SET.FIGURE`, or `FIGURE` alone, means."""
    for name in sets:
        if asked.startswith(f"{name}."):
            return name, asked.removeprefix(f"{name}.")
    return sets[0], asked
