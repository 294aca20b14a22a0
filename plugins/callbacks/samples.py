"""Samples: what the model answers to some held-out prompts, time and again while it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from luthier.core import hookimpl
from luthier.plugins.callbacks.answering import AnsweringCallback

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from luthier.core.run.job import TrainingJob


class Samples(AnsweringCallback):
    """Print answers to held-out prompts while the model trains, and keep them in samples.jsonl."""

    every: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps between two rounds of answers; where not given, each evaluation has one."""
    prompts: Annotated[int, Field(ge=1)] = 3
    """How many prompts of each validation set are answered, from its start."""

    @hookimpl
    def build_callback(self, job: TrainingJob) -> TrainerCallback | None:
        """Return what has the model answer.

        Raises:
            BadData: no held-out row has a prompt.
        """
        from luthier.plugins.callbacks.sampling import Sampling

        return Sampling(job, self.every, self.prompts)
