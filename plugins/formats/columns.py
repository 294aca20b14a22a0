"""What formats share: the columns of a row, read as the options of the format name them."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import Plugin, hookimpl
from luthier.core.data import Aligned, BadValue, StandardRow, aligned
from luthier.core.problems import shown
from luthier.plugins.formats.thoughts import answer

if TYPE_CHECKING:
    from luthier.core.data import DatasetSpec, Rows

Read = dict[str, Any]
"""A message in OpenAI's form, or a row as its source gave it."""


class RowFormat(Plugin):
    """Base of a format whose options name the columns of a row."""

    called: ClassVar[str]
    """The name of the format, for what it says of bad rows."""

    @hookimpl
    def align_dataset(self, dataset: Rows, spec: DatasetSpec) -> Aligned | None:
        """Return the rows as `standard` makes them."""
        return aligned(dataset, spec, self.standard)

    @abstractmethod
    def standard(self, row: Read) -> StandardRow:
        """Return a row in the standardized form.

        Raises:
            BadValue: it is not of this format.
        """

    def bad(self, option: str, problem: str, remedy: str) -> BadValue:
        """Return the fault of a column; the remedy ends with how another one is named.

        Args:
            option: the option that names the column.
            problem: what was found, and what was expected.
            remedy: what to write, as an imperative sentence without its full stop.
        """
        said = f"{remedy}, or name another column: {self.declaration(option)}."
        return BadValue(problem, said, getattr(self, option))

    def declaration(self, option: str) -> str:
        """Return how a run file names the column of an option."""
        return f"`format: {{name: {self.called}, {option}: COLUMN}}`"

    def absent(self, row: Read, *options: str) -> BadValue:
        """Return the fault of a row that has nothing in the columns that options name."""
        if empty := next((option for option in options if getattr(self, option) in row), None):
            said = f"the column {getattr(self, empty)!r} is empty in this row"
            return self.bad(empty, said, "Fill it in, leave such rows out (`bad_rows: drop`)")
        columns = " or ".join(repr(getattr(self, option)) for option in options)
        return BadValue(
            f"there is no column {columns}; there are: {', '.join(map(str, row))}",
            "Where other rows have it, give it to this one; where all have it under another name, "
            f"name the column: {self.declaration(options[0])}.",
            getattr(self, options[0]),
        )

    def has(self, row: Read, option: str) -> bool:
        """Return whether the column of an option is there and holds something."""
        return row.get(getattr(self, option)) not in (None, "", [])

    def text(self, row: Read, option: str) -> str:
        """Return the text of a column; an empty one where it is absent or null."""
        column = getattr(self, option)
        value = row.get(column)
        if value is None:
            return ""
        if not isinstance(value, str):
            said = f"the field {column!r} is {shown(value)}, no text"
            raise self.bad(option, said, "Write it in quotes")
        return value

    def filled(self, row: Read, option: str, otherwise: str) -> str:
        """Return the text of a column that must be there.

        Args:
            row: the row.
            option: the option that names the column.
            otherwise: what follows from its being empty, for the message.
        """
        column = getattr(self, option)
        if column not in row:
            raise self.absent(row, option)
        text = self.text(row, option)
        if not text.strip():
            said = f"the field {column!r} is empty, so {otherwise}"
            raise self.bad(option, said, "Fill it in, leave the row out")
        return text

    def parsed(self, row: Read, option: str) -> Any:
        """Return what a column holds, or what its JSON text does; None where it is empty."""
        column = getattr(self, option)
        value = row.get(column)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value.strip() else None
        except (ValueError, RecursionError):
            said = f"the field {column!r} is {shown(value)}, no JSON"
            raise self.bad(option, said, "Write a list, or its JSON text") from None

    def functions(self, row: Read, option: str = "tools") -> Any:
        """Return the function tools of a column in OpenAI's form; an empty text for none."""
        found = self.parsed(row, option)
        if not found:
            return ""
        if not isinstance(found, list) or not all(map(_is_tool, found)):
            said = f"the field {getattr(self, option)!r} is {shown(found)}, no list of functions"
            written = 'Write [{"type": "function", "function": {"name": "...", ...}}, ...]'
            raise self.bad(option, said, written)
        return [
            one if "function" in one else {"type": "function", "function": one} for one in found
        ]


class Instructions(RowFormat):
    """The columns in which Alpaca's rows ask."""

    instruction: str = "instruction"
    """The column of the instruction."""
    input: str = "input"
    """The column of the input, which follows the instruction on a new line; may be absent."""
    system: str = "system"
    """The column of the system prompt; may be absent."""
    history: str = "history"
    """The column of earlier turns, pairs of instruction and answer; may be absent."""
    tools: str = "tools"
    """The column of the function tools, a list in OpenAI's form or its JSON text; may be absent."""

    def instructed(self, row: Read, option: str = "instruction") -> list[Read]:
        """Return the messages of a row's history and of its instruction with the input."""
        column = getattr(self, option)
        if column not in row:
            raise self.absent(row, option)
        asked = (self.text(row, option), self.text(row, "input"))
        request = "\n".join(text for text in asked if text)
        if not request.strip():
            said = f"the fields {column!r} and {self.input!r} are both empty"
            raise self.bad(option, said, "Give each row an instruction, leave the row out")
        return [*self._earlier(row), {"role": "user", "content": request}]

    def _earlier(self, row: Read) -> list[Read]:
        messages: list[Read] = []
        turns = self.parsed(row, "history") or []
        for turn in turns if isinstance(turns, list) else [turns]:
            pair = isinstance(turn, list) and len(turn) == len(("instruction", "answer"))
            if not pair or not all(isinstance(text, str) and text for text in turn):
                said = (
                    f"an item of {self.history!r} is {shown(turn)}, no pair of instruction and "
                    "answer"
                )
                written = 'Write history as [["instruction", "answer"], ...]'
                raise self.bad("history", said, written)
            messages += [{"role": "user", "content": turn[0]}, answer(turn[1])]
        return messages


def _is_tool(value: Any) -> bool:
    told = value.get("function", value) if isinstance(value, Mapping) else None
    return isinstance(told, Mapping) and isinstance(told.get("name"), str)
