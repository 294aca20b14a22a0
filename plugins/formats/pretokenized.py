"""Pretokenized: rows of ids that another program made."""

from __future__ import annotations

from typing import Any, ClassVar

from luthier.core.data import Tokens
from luthier.core.problems import shown
from luthier.plugins.formats.columns import RowFormat


class Pretokenized(RowFormat):
    """Rows of token ids, and which of them are learned."""

    input_ids: str = "input_ids"
    """The column of the ids, of the tokenizer of the run's model."""
    labels: str = "labels"
    """The column of the ids that the loss counts, -100 elsewhere; without it, it counts all."""

    called: ClassVar = "pretokenized"

    def standard(self, row: dict[str, Any]) -> Tokens:
        """Return the ids and labels of a row."""
        from luthier.core.templates import IGNORED

        if self.input_ids not in row:
            raise self.absent(row, "input_ids")
        ids = self._integers(row, "input_ids", "from 0 on")
        if not ids:
            said = f"the field {self.input_ids!r} is empty, so there is nothing to learn"
            raise self.bad("input_ids", said, "Fill it in, leave the row out")
        if row.get(self.labels) is None:
            return Tokens(ids)
        labels = self._integers(row, "labels", f"from 0 on, or {IGNORED}", IGNORED)
        if len(labels) != len(ids):
            said = f"there are {len(ids)} {self.input_ids!r} and {len(labels)} {self.labels!r}"
            raise self.bad("labels", said, "Write a label for each id")
        return Tokens(ids, labels)

    def _integers(
        self, row: dict[str, Any], option: str, expected: str, besides: int = 0
    ) -> list[int]:
        column = getattr(self, option)
        found = self.parsed(row, option)
        if not isinstance(found, list):
            said = f"the field {column!r} is {shown(found)}, no list of whole numbers"
            raise self.bad(option, said, "Write [1, 2, ...]")
        for place, number in enumerate(found, 1):
            # a bool is an int to Python, and no id
            if type(number) is not int or (number < 0 and number != besides):
                said = (
                    f"number {place} of {column!r} is {shown(number)}; expected whole numbers "
                    f"{expected}"
                )
                raise self.bad(option, said, "Write [1, 2, ...]")
        return found
