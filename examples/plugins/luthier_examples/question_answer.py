"""Rows of a question and an answer, the shape of most small data sets that people write by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core import Plugin, hookimpl
from luthier.core.data import Aligned, BadValue, Conversation, aligned

if TYPE_CHECKING:
    from luthier.core.data import DatasetSpec, Rows


class QuestionAnswer(Plugin):
    """Rows of a question and the answer to it."""

    question: str = "question"
    """The column of the question."""
    answer: str = "answer"
    """The column of the answer."""

    @hookimpl
    def align_dataset(self, dataset: Rows, spec: DatasetSpec) -> Aligned | None:
        """Return each row as a conversation of one turn."""
        return aligned(dataset, spec, self._conversation)

    def _conversation(self, row: dict[str, Any]) -> Conversation:
        question, answer = self._text(row, self.question), self._text(row, self.answer)
        prompt = [{"role": "user", "content": question}]
        return Conversation(prompt, [{"role": "assistant", "content": answer}])

    def _text(self, row: dict[str, Any], column: str) -> str:
        text = row.get(column)
        if isinstance(text, str) and text:
            return text
        raise BadValue(
            f"there is no text in {column!r}; the row has: {', '.join(row)}",
            "Fill it in, or name the columns: "
            "`format: {name: question-answer, question: COLUMN, answer: COLUMN}`.",
        )
