"""What `predict` does with a trained model. A sibling of the plugin, since it needs torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from transformers import TrainerCallback

from luthier.core.data.dataset import VALIDATION
from luthier.core.problems import counted
from luthier.core.run.folder import write_text_whole
from luthier.core.run.reporting import now_and_then
from luthier.core.training.answering import Answer, answers, require_questions
from luthier.plugins.callbacks.comparison import FIGURES, compared

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob


def predicted(job: TrainingJob, rows: int | None) -> dict[str, dict[str, float]]:
    """Return what the answers to held-out prompts are worth, by validation set.

    Args:
        job: the run, its model trained.
        rows: how many of each set are answered at most; all where it is None.

    Raises:
        BadData: no held-out row has a prompt.
    """
    file, figures, lines = job.folder.path / "predictions.jsonl", {}, list[str]()
    for name, questions in require_questions(job, rows).items():
        of = "" if name == VALIDATION else f"{name}: "
        job.reporter.say("predict", f"{of}{counted(len(questions), 'prompt', 'prompts')} to answer")
        found = answers(job, questions, now_and_then(partial(_tell, job, of, len(questions))))
        lines += [
            json.dumps({VALIDATION: name, **one._asdict()}, ensure_ascii=False) for one in found
        ]
        figures[name] = {"answers": len(found), **_worth(found)}
        told = [f"{key} {value:.4g}" for key, value in figures[name].items() if key != "answers"]
        job.reporter.say(
            "predict", f"{of}{', '.join(told) or 'no row has an answer to compare with'}"
        )
    write_text_whole(file, "".join(f"{line}\n" for line in lines))
    job.reporter.say("predict", f"written to {file}")
    return figures


class Predicting(TrainerCallback):
    """Has the model answer at each evaluation, and tells what its answers are worth."""

    def __init__(self, job: TrainingJob, rows: int | None) -> None:
        """Take the prompts, as `predicted` does.

        Raises:
            BadData: no held-out row has a prompt.
        """
        self.job, self.questions = job, require_questions(job, rows)
        compares = any(one.label for found in self.questions.values() for one in found)
        self.figures = FIGURES if compares else ()

    def measure(self, validation: str) -> dict[str, float]:
        """Return the figures of a validation set."""
        return _worth(answers(self.job, self.questions.get(validation, [])))


def _worth(found: Sequence[Answer]) -> dict[str, float]:
    return compared([(one.answer, one.label) for one in found if one.label])


def _tell(job: TrainingJob, of: str, total: int, count: int) -> None:
    if count < total:
        job.reporter.say("predict", f"{of}{count:,} of {total:,} answered")
