"""Encoding that stages share: from standardized rows to ids, and what the loss counts of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

from luthier.core.data.rendering import Rendering
from luthier.core.data.standard import (
    BadValue,
    Conversation,
    Judged,
    Preference,
    StandardRow,
    Text,
    Tokens,
)
from luthier.core.errors import TemplateError
from luthier.core.templates import IGNORED, Encoded
from luthier.core.templates.encoding import encoded
from luthier.core.templates.pieces import Piece

EncodedRow = Mapping[str, Encoded] | BadValue
"""A row as ids, or what is wrong with it. A row of one sequence has it under `""`; one of several
has each under its name, as `chosen` and `rejected`, and a dataset has its columns so named:
`chosen_input_ids`, `chosen_labels`."""

PROMPT, ANSWERED = "prompt", "answered"
"""The names of what the model is to answer, and of that with the answer that the data has."""

Parts = Mapping[str, Sequence[Piece] | Encoded]
"""The sequences of a row by their names, before their texts are encoded."""


class Encoder(Rendering):
    """Renders and encodes many rows at once, as the `encoding` of a run file says."""

    def conversations(self, rows: Sequence[StandardRow]) -> list[EncodedRow]:
        """Return each conversation as one sequence; rows of ids as they are.

        Args:
            rows: conversations, or rows of ids; any other is a bad row here.
        """
        return self._together(rows, self._conversation)

    def texts(self, rows: Sequence[StandardRow]) -> list[EncodedRow]:
        """Return each plain text as one sequence, all of it trained; rows of ids as they are.

        It is begun as the tokenizer begins texts, and ended by its EOS.
        """
        return self._together(rows, self._text)

    def preferences(self, rows: Sequence[StandardRow]) -> list[EncodedRow]:
        """Return each preference as `chosen` and `rejected`, whose prompts are the same ids."""
        return self._together(rows, self._preference)

    def prompts(self, rows: Sequence[StandardRow]) -> list[EncodedRow]:
        """Return of each conversation the `prompt`, up to where its last answer begins.

        A row that has that answer has the whole of it besides, as `answered`, its answer trained.
        """
        return self._together(rows, self._prompt)

    def judged(self, rows: Sequence[StandardRow]) -> list[EncodedRow]:
        """Return each judged answer as `desirable` or as `undesirable`."""
        return self._together(rows, self._judged)

    def _together(
        self, rows: Sequence[StandardRow], parts_of: Callable[[Any], Parts]
    ) -> list[EncodedRow]:
        """Return the rows, the texts of all their parts encoded at once."""
        found = [_made(row, parts_of) for row in rows]
        try:
            return self._encoded(found)
        except UnicodeEncodeError:  # of all texts together: whose it is takes a look at each
            return self._encoded([_whole(row) for row in found])

    def _encoded(self, rows: Sequence[Parts | BadValue]) -> list[EncodedRow]:
        pieces = [
            part
            for row in rows if not isinstance(row, BadValue)
            for part in row.values() if not isinstance(part, Encoded)
        ]  # fmt: skip
        made = iter(encoded(pieces, self.tokenizer, self.special_tokens))
        return [
            row if isinstance(row, BadValue) else {
                name: part if isinstance(part, Encoded) else next(made)
                for name, part in row.items()
            }
            for row in rows
        ]  # fmt: skip

    # --- what each kind of row is made of -----------------------------------------------------

    def _conversation(self, row: StandardRow) -> Parts:
        if isinstance(row, Tokens) and row.rejected is None:
            return {"": self._tokens(row)}
        if isinstance(row, Conversation) and not isinstance(row, Preference):
            return {"": self.pieces_of(row, row.response)}
        lacks = " without an answer" if isinstance(row, Text) else ""
        said = f"it is {_named(row)}{lacks}, and this stage learns from answers"
        raise BadValue(said, _STAGE)

    def _text(self, row: StandardRow) -> Parts:
        if isinstance(row, Tokens) and row.rejected is None:
            return {"": self._tokens(row)}
        if not isinstance(row, Text):
            raise BadValue(f"it is {_named(row)}, and this stage learns from texts", _STAGE)
        return {"": self.document(row.text)}

    def _tokens(self, row: Tokens) -> Encoded:
        ids, labels = row.ids, row.ids if row.labels is None else row.labels
        if not 0 <= min(ids, default=0) <= max(ids, default=0) <= self._last_id:
            place, wrong = next((n, i) for n, i in enumerate(ids, 1) if not 0 <= i <= self._last_id)
            said = f"number {place} of its ids is {wrong}, and the model's go from 0 to"
            raise BadValue(f"{said} {self._last_id}", _OTHER_IDS)
        trained = [label != IGNORED for label in labels]
        for place, (i, label) in enumerate(zip(ids, labels, strict=True), 1):
            if label not in (i, IGNORED):
                said = f"number {place} of its labels is {label}, and the id there is {i}"
                raise BadValue(said, f"Write the id itself, or {IGNORED} where it is not learned.")
        return Encoded(list(ids), [(len(list(run)), kept) for kept, run in groupby(trained)])

    @cached_property
    def _last_id(self) -> int:
        return max(self.tokenizer.get_vocab().values())

    def _preference(self, row: StandardRow) -> Parts:
        if isinstance(row, Tokens) and row.rejected is not None:
            return {"chosen": self._tokens(row), "rejected": self._tokens(row.rejected)}
        if not isinstance(row, Preference):
            said = f"it is {_named(row)}, and this stage learns from preferences"
            raise BadValue(said, _STAGE)
        return {
            name: self.pieces_of(row, [answer], alone=True)
            for name, answer in zip(("chosen", "rejected"), row.response, strict=True)
        }

    def _prompt(self, row: StandardRow) -> Parts:
        if not isinstance(row, Conversation) or isinstance(row, Preference):
            said = f"it is {_named(row)}, and this stage learns from prompts"
            raise BadValue(said, _STAGE)
        asked = self.pieces_of(row, [], ask=True)
        found: dict[str, Sequence[Piece] | Encoded] = {
            PROMPT: [piece._replace(trained=True) for piece in asked]
        }
        if row.response:
            found[ANSWERED] = self.pieces_of(row, row.response, alone=True)
        return found

    def _judged(self, row: StandardRow) -> Parts:
        if not isinstance(row, Judged):
            said = f"it is {_named(row)}, and this stage learns from judged answers"
            raise BadValue(said, _STAGE)
        name = "desirable" if row.desirable else "undesirable"
        return {name: self.pieces_of(row, row.response, alone=True)}


def _made(row: StandardRow, parts_of: Callable[[Any], Parts]) -> Parts | BadValue:
    try:
        return parts_of(row)
    except TemplateError as fault:
        said, _, remedy = str(fault).rstrip(".").partition(". ")
        return BadValue(said, f"{remedy or _NO_PLACE}.")
    except BadValue as fault:
        return fault


def _whole(row: Parts | BadValue) -> Parts | BadValue:
    """Return a row, or what is wrong with it if a text of it is none that can be encoded."""
    if isinstance(row, BadValue):
        return row
    for part in row.values():
        for piece in () if isinstance(part, Encoded) else part:
            try:
                piece.text.encode()
            except UnicodeEncodeError as fault:
                half = piece.text[fault.start : fault.end]
                before = piece.text[max(0, fault.start - SHOWN_BEFORE) : fault.start]
                return BadValue(
                    f"its text holds half a character, {half!r} after {before!r}",
                    "Write the character itself, or both of the escapes that JSON has for it; or "
                    "leave the row out.",
                )
    return row


SHOWN_BEFORE = 20
"""How many characters before a fault a message shows."""

_NAMES = {
    Conversation: "a conversation", Preference: "a preference", Judged: "a judged answer",
    Text: "plain text", Tokens: "a row of ids",
}  # fmt: skip
_STAGE = (
    "Choose another `stage` (`luthier plugins stages` lists them), or another `format` of the data "
    "(`luthier plugins formats`), whose columns `luthier plugins show formats NAME` tells."
)
_OTHER_IDS = "Make the ids with the tokenizer of this run's model, or leave the row out."
_NO_PLACE = "Choose another `template`, or leave the row out"


def _named(row: StandardRow) -> str:
    pair = isinstance(row, Tokens) and row.rejected is not None
    return "a preference of ids" if pair else _NAMES[type(row)]
