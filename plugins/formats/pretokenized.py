"""Pretokenized: rows of ids that another program made.

Those of a preference are in columns named as by TRL: `chosen_input_ids`, `rejected_input_ids`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from luthier.core.data import Tokens
from luthier.core.data.columns import field_of
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
        """Return the ids and labels of a row, or of both answers of a preference."""
        chosen, rejected = (field_of(name, self.input_ids) for name in ("chosen", "rejected"))
        if self.input_ids in row:
            return self._tokens(row)
        if chosen in row and rejected in row:
            return self._tokens(row, "chosen")._replace(rejected=self._tokens(row, "rejected"))
        raise self.absent(row, "input_ids")

    def _tokens(self, row: dict[str, Any], name: str = "") -> Tokens:
        """Return the ids and labels of a row, or of the named answer."""
        from luthier.core.templates import IGNORED

        ids_column, labels_column = field_of(name, self.input_ids), field_of(name, self.labels)
        ids = self._integers(row, "input_ids", name, "from 0 on")
        if not ids:
            said = f"the field {ids_column!r} is empty, so there is nothing to learn"
            raise self.bad("input_ids", said, "Fill it in, leave the row out")
        if row.get(labels_column) is None:
            return Tokens(ids)
        labels = self._integers(row, "labels", name, f"from 0 on, or {IGNORED}", IGNORED)
        if len(labels) != len(ids):
            said = f"there are {len(ids)} {ids_column!r} and {len(labels)} {labels_column!r}"
            raise self.bad("labels", said, "Write a label for each id")
        return Tokens(ids, labels)

    def _integers(
        self, row: dict[str, Any], option: str, name: str, expected: str, besides: int = 0
    ) -> list[int]:
        column = field_of(name, getattr(self, option))
        found = self.parsed({getattr(self, option): row.get(column)}, option)
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
