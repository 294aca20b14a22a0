"""Alpaca: rows of instruction, input and output (Taori et al., 2023).

Source: https://github.com/tatsu-lab/stanford_alpaca#data-release. `history` and `system` are the
additions that LLaMA-Factory made common: pairs of earlier turns, and a system prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core import Plugin, hookimpl
from luthier.core.data import Aligned, BadValue, Conversation, aligned

if TYPE_CHECKING:
    from luthier.core.data import DatasetSpec, Rows


class Alpaca(Plugin):
    """Rows of an instruction, an optional input, and the output that answers them."""

    instruction: str = "instruction"
    """The column of the instruction."""
    input: str = "input"
    """The column of the input, which follows the instruction on a new line; may be absent."""
    output: str = "output"
    """The column of the answer."""
    system: str = "system"
    """The column of the system prompt; may be absent."""
    history: str = "history"
    """The column of earlier turns, pairs of instruction and answer; may be absent."""

    @hookimpl
    def align_dataset(self, dataset: Rows, spec: DatasetSpec) -> Aligned | None:
        """Return the rows as conversations; those of `history` come before the instruction."""
        return aligned(dataset, spec, self._conversation)

    def _conversation(self, row: dict[str, Any]) -> Conversation:
        for name in ("instruction", "output"):
            column = getattr(self, name)
            if column not in row:
                raise BadValue(
                    f"there is no column {column!r}; there are: {', '.join(row)}",
                    f"Name the column: `format: {{name: alpaca, {name}: COLUMN}}`.",
                )
        request = "\n".join(
            text
            for text in (self._text(row, self.instruction), self._text(row, self.input))
            if text
        )
        if not request:
            raise BadValue(
                f"the fields {self.instruction!r} and {self.input!r} are both empty",
                "Give each row an instruction, or leave the row out.",
            )
        answer = self._text(row, self.output)
        if not answer:
            raise BadValue(
                f"the field {self.output!r} is empty, so there is nothing to learn",
                "Give each row an output, or leave the row out.",
            )
        prompt: list[dict[str, str]] = []
        history = row.get(self.history) or []
        for turn in history if isinstance(history, list) else [history]:
            pair = isinstance(turn, list) and len(turn) == len(("instruction", "answer"))
            if not pair or not all(isinstance(text, str) and text for text in turn):
                raise BadValue(
                    f"an item of {self.history!r} is {turn!r}, no pair of instruction and answer",
                    'Write history as [["instruction", "answer"], ...].',
                )
            prompt += [
                {"role": "user", "content": turn[0]},
                {"role": "assistant", "content": turn[1]},
            ]
        prompt.append({"role": "user", "content": request})
        response = [{"role": "assistant", "content": answer}]
        return Conversation(prompt, response, self._text(row, self.system))

    def _text(self, row: dict[str, Any], column: str) -> str:
        value = row.get(column)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise BadValue(
                f"the field {column!r} is {value!r}, no text",
                "Write it in quotes, or name another column under `format`.",
            )
        return value
