"""The observer of `samples`. A sibling of the plugin, since it needs torch."""

from __future__ import annotations

import json
import time
from itertools import groupby
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from luthier.core.run.folder import write_text_whole
from luthier.core.run.ranks import is_first
from luthier.core.training.answering import answers, require_questions
from luthier.core.training.recording import Recorder

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob

SHOWN = 100
"""How many characters of a prompt's end, and of an answer's beginning, are printed."""


class Sampling(TrainerCallback):
    """Has the model answer the same prompts time and again."""

    def __init__(self, job: TrainingJob, every: int | None, prompts: int) -> None:
        """Take the prompts.

        Args:
            job: the run.
            every: optimizer steps between two rounds; None for one at each evaluation.
            prompts: how many of each validation set.

        Raises:
            BadData: no held-out row has a prompt.
        """
        self.job, self.every = job, every
        found = require_questions(job, prompts)
        self.questions = [(name, one) for name, questions in found.items() for one in questions]
        self.file = job.folder.path / "samples.jsonl"
        self._answered = -1  # the last step that was sampled after

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Forget the answers of steps that a resumed run will do again."""
        if is_first() and self.file.exists():
            # a last line that was cut by a kill ends in no newline
            lines = self.file.read_text("utf-8").split("\n")[:-1]
            kept = [line for line in lines if json.loads(line)["step"] <= state.global_step]
            write_text_whole(self.file, "".join(f"{line}\n" for line in kept))

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Answer, once for all validation sets."""
        if self.every is None:
            self._sample(state.global_step)

    def on_step_end(
        self,
        args: Any,  # noqa: ARG002
        state: Any,
        control: Any,  # noqa: ARG002
        optimizer: Any = None,
        **_: Any,
    ) -> None:
        """Answer where it is time, and after the last step."""
        step = state.global_step
        if self.every and (step % self.every == 0 or step >= state.max_steps):
            averages = hasattr(optimizer, "eval") and hasattr(optimizer, "train")
            if averages:  # of one that trains other weights than are to be used
                optimizer.eval()
            self._sample(step)
            if averages:
                optimizer.train()

    def _sample(self, step: int) -> None:
        if not is_first() or step == self._answered:
            return
        self._answered = step
        began = time.monotonic()
        self._answer(step)
        for one in self.job.callbacks:
            if isinstance(one, Recorder):
                one.leave_out(time.monotonic() - began)

    def _answer(self, step: int) -> None:
        names = [name for name, _ in self.questions]
        found = answers(self.job, [one for _, one in self.questions])
        rows = [
            {"step": step, "validation": name, **one._asdict()}
            for name, one in zip(names, found, strict=True)
        ]
        with self.file.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        say = self.job.reporter.say
        for name, group in groupby(rows, key=lambda row: row["validation"]):
            say("samples", f"at step {step}{f', of {name}' if len(set(names)) > 1 else ''}:")
            for row in group:
                say("  prompt", _end_of(str(row["prompt"])))
                say("  answer", _beginning_of(str(row["answer"])))


def _end_of(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"... {line[-SHOWN:]}"


def _beginning_of(text: str) -> str:
    line = " ".join(text.split())
    return (line or "(empty)") if len(line) <= SHOWN else f"{line[:SHOWN]} ..."
