"""Judged answers: rows of one answer and whether it is a good one, as KTO learns from.

Sources: https://arxiv.org/abs/2402.01306, and the columns of TRL's unpaired preferences
(https://huggingface.co/docs/trl/dataset_formats#unpaired-preference).
"""

from __future__ import annotations

from typing import Any, ClassVar

from luthier.core.data import Judged
from luthier.core.problems import shown
from luthier.plugins.formats.asking import AskingFormat
from luthier.plugins.formats.messages import Exchange

JUDGEMENTS = {"true": True, "1": True, "false": False, "0": False}
"""A table of texts, such as CSV, has no other way to say it."""


def judgement(value: Any) -> bool | None:
    """Return whether a value says good or bad; None where it says neither."""
    return JUDGEMENTS.get(str(value).strip().lower())


class Kto(AskingFormat):
    """Rows of one answer, which was judged good or bad."""

    label: str = "label"
    """The column of the judgement, true or false; `kto_tag` is understood besides."""
    completion: str = "completion"
    """The column of the answer to a prompt, a text or messages; without it, and without an
    `output`, the last message of the conversation is the answer."""

    called: ClassVar = "kto"

    def standard(self, row: dict[str, Any]) -> Judged:
        """Return a row as what is asked, its answer, and the judgement."""
        desirable = self._judgement(row)
        if self.completion in row:
            found, option = self._completed(row, "completion"), "completion"
        elif self.output in row:
            found, option = self._completed(row, "output"), "output"
        else:
            option = "messages" if self.has(row, "messages") else "conversations"
            if not self.has(row, option):
                raise self.absent(row, "completion", "output", "messages", "conversations")
            found = self.asked(row)
        prompt, answer = self.answered(found, option)
        system = found.system or self.text(row, "system")
        return Judged(prompt, [answer], system, self.functions(row), desirable)

    def _completed(self, row: dict[str, Any], option: str) -> Exchange:
        asked = self.asked(row)
        told = self.completion_of(row, option)
        whole = Exchange(asked.system, asked.messages + told.messages, 1 - len(asked.messages))
        return self.in_order(whole, option)

    def _judgement(self, row: dict[str, Any]) -> bool:
        column = self.label if self.label in row else "kto_tag"
        if column not in row:
            raise self.absent(row, "label")
        value = row[column]
        told = judgement(value)
        if told is None:
            said = f"the field {column!r} is {shown(value)}; expected was true or false"
            raise self.bad("label", said, "Write true for a good answer and false for a bad one")
        return told
