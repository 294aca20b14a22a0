"""A plugin of the benchmarks: a run that names it is timed by their clock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from luthier.core.run.job import TrainingJob


class Watch(Plugin):
    """Time each step of a run, and note its rows and its memory."""

    output: str
    """The file that the figures are written to."""
    marks: int
    """The first of the ids that rows are known by."""
    kernels: bool = False
    """Whether the first step tells by which kernels attention is computed."""

    serves: ClassVar = "training"

    @hookimpl
    def build_callback(self, job: TrainingJob) -> TrainerCallback:  # noqa: ARG002
        """Return the clock."""
        from clock import Clock

        return Clock(Path(self.output), self.marks, kernels=self.kernels)


ENTRY_POINTS = {"luthier.callbacks": {"watch": Watch}}
