"""Predict: the trained model answers all held-out prompts, and its answers are compared.

BLEU-4 (Papineni et al., 2002, https://aclanthology.org/P02-1040), of the set as a whole, by
sacrebleu (Post, 2018, https://aclanthology.org/W18-6319); ROUGE-1, -2 and -L (Lin, 2004,
https://aclanthology.org/W04-1013), the mean F measure of the answers, by rouge-score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import hookimpl
from luthier.plugins.callbacks.answering import AnsweringCallback

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from luthier.core.run.job import TrainingJob


class Predict(AnsweringCallback):
    """Answer all held-out prompts when the model is trained: predictions.jsonl, BLEU, ROUGE."""

    rows: Annotated[int, Field(ge=1)] | None = None
    """How many rows of each validation set are answered, from its start; all if not given."""
    each_evaluation: bool = False
    """Whether they are answered at each evaluation, too: its figures, `bleu-4` among them, are then
    those of the evaluation, and `evaluation.best` may name one."""

    packages: ClassVar = ("sacrebleu>=2.5", "rouge-score>=0.1.2", "jieba>=0.42.1")
    extra: ClassVar = "metrics"

    @hookimpl
    def build_callback(self, job: TrainingJob) -> TrainerCallback | None:
        """Return what has the model answer at evaluations; refuse rows that have no prompts.

        Raises:
            BadData: no held-out row has a prompt.
        """
        from luthier.core.training.answering import require_questions
        from luthier.plugins.callbacks.prediction import Predicting

        if self.each_evaluation:
            return Predicting(job, self.rows)
        require_questions(job, 1)
        return None

    @hookimpl
    def conclude_run(self, job: TrainingJob) -> Mapping[str, Any] | None:
        """Return the figures of each validation set; its answers are in predictions.jsonl."""
        from luthier.plugins.callbacks.prediction import predicted

        return {"predictions": predicted(job, self.rows)}
