"""What `predict` does with a trained model. A sibling of the plugin, since it needs torch."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from luthier.core.data.dataset import VALIDATION
from luthier.core.problems import counted
from luthier.core.run.folder import write_text_whole
from luthier.core.run.reporting import now_and_then
from luthier.core.training.answering import answers, require_questions
from luthier.plugins.callbacks.comparison import compared

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
        pairs = [(one.answer, one.label) for one in found if one.label]
        figures[name] = {"answers": len(found), **compared(pairs)}
        told = [f"{key} {value:.4g}" for key, value in figures[name].items() if key != "answers"]
        job.reporter.say(
            "predict", f"{of}{', '.join(told) or 'no row has an answer to compare with'}"
        )
    write_text_whole(file, "".join(f"{line}\n" for line in lines))
    job.reporter.say("predict", f"written to {file}")
    return figures


def _tell(job: TrainingJob, of: str, total: int, count: int) -> None:
    if count < total:
        job.reporter.say("predict", f"{of}{count:,} of {total:,} answered")
