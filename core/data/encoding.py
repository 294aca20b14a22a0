"""Encoding that stages share: from standardized rows to ids, and what the loss counts of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

from luthier.core.data.standard import (
    BadValue,
    Conversation,
    Judged,
    Message,
    Preference,
    StandardRow,
    Text,
    Tokens,
)
from luthier.core.data.thoughts import Thoughts
from luthier.core.errors import BadModel, TemplateError
from luthier.core.sections import EncodingSection
from luthier.core.templates import IGNORED, Encoded
from luthier.core.templates.encoding import encoded
from luthier.core.templates.messages import tools_of
from luthier.core.templates.pieces import Piece
from luthier.core.templates.tokenizing import text_encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.templates import ChatTemplate

EncodedRow = Mapping[str, Encoded] | BadValue
"""A row as ids, or what is wrong with it. A row of one sequence has it under `""`; one of several
has each under its name, as `chosen` and `rejected`, and a dataset has its columns so named:
`chosen_input_ids`, `chosen_labels`."""

Parts = Mapping[str, Sequence[Piece] | Encoded]
"""The sequences of a row by their names, before their texts are encoded."""


@dataclass(frozen=True)
class Encoder:
    """Renders and encodes many rows at once, as the `encoding` of a run file says."""

    template: ChatTemplate | None
    tokenizer: PreTrainedTokenizerBase
    section: EncodingSection = field(default_factory=EncodingSection)

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

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The special tokens of the chat template; those of the tokenizer are not among them."""
        return self.template.all_special_tokens() if self.template is not None else ()

    # --- what each kind of row is made of -----------------------------------------------------

    def _conversation(self, row: StandardRow) -> Parts:
        if isinstance(row, Tokens) and row.rejected is None:
            return {"": self._tokens(row)}
        if isinstance(row, Conversation) and not isinstance(row, Preference):
            return {"": self._pieces(row, row.response)}
        lacks = " without an answer" if isinstance(row, Text) else ""
        said = f"it is {_named(row)}{lacks}, and this stage learns from answers"
        raise BadValue(said, _STAGE)

    def _text(self, row: StandardRow) -> Parts:
        if isinstance(row, Tokens) and row.rejected is None:
            return {"": self._tokens(row)}
        if not isinstance(row, Text):
            raise BadValue(f"it is {_named(row)}, and this stage learns from texts", _STAGE)
        begin, end = self._document_ends
        text = [Piece(row.text, special=False, trained=True)]
        return {"": [*begin, *self._told_tokens(text), *end]}

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
            name: self._pieces(row, [answer], alone=True)
            for name, answer in zip(("chosen", "rejected"), row.response, strict=True)
        }

    def _prompt(self, row: StandardRow) -> Parts:
        if not isinstance(row, Conversation) or isinstance(row, Preference):
            said = f"it is {_named(row)}, and this stage learns from prompts"
            raise BadValue(said, _STAGE)
        asked = self._pieces(row, [], ask=True)
        found: dict[str, Sequence[Piece] | Encoded] = {
            "prompt": [piece._replace(trained=True) for piece in asked]
        }
        if row.response:
            found["answered"] = self._pieces(row, row.response, alone=True)
        return found

    def _judged(self, row: StandardRow) -> Parts:
        if not isinstance(row, Judged):
            said = f"it is {_named(row)}, and this stage learns from judged answers"
            raise BadValue(said, _STAGE)
        name = "desirable" if row.desirable else "undesirable"
        return {name: self._pieces(row, row.response, alone=True)}

    @property
    def _format(self) -> ChatTemplate:
        """The template; BadModel where there is none, as texts and ids may do without."""
        if self.template is None:
            raise BadModel(
                "conversations are encoded by a chat template, and this run has none. "
                "Write `template: NAME`; `luthier plugins templates` lists them."
            )
        return self.template

    @cached_property
    def _ends(self) -> dict[str, str | None]:
        return self._format.ends_of(self.tokenizer)

    @cached_property
    def thoughts(self) -> Thoughts:
        """What the template does with the thoughts of answers."""
        return Thoughts(self.template)

    @cached_property
    def _document_ends(self) -> tuple[list[Piece], list[Piece]]:
        """What the tokenizer puts before a text that stands alone, and the token that ends it."""
        ids = self.tokenizer("")["input_ids"]
        bos, eos = self.tokenizer.bos_token, self.tokenizer.eos_token
        begun = bos and ids[:1] == [self.tokenizer.bos_token_id]
        begin = [Piece(str(bos), special=True, trained=True)] if begun else []
        return begin, [Piece(str(eos), special=True, trained=True)] if eos else []

    def _pieces(
        self,
        row: Conversation | Judged,
        response: Sequence[Message],
        *,
        alone: bool = False,
        ask: bool = False,
    ) -> list[Piece]:
        """Return what the loss is to count marked.

        Args:
            row: what is asked.
            response: the answers.
            alone: whether the last answer counts, and no other.
            ask: end with what the model goes on from.
        """
        messages = [*row.prompt, *response]
        if row.system:
            messages.insert(0, {"role": "system", "content": row.system})
        told = [bool(message.get("train", True)) for message in _answers(messages)]
        plain = [
            {k: v for k, v in one.items() if k != "train"} if "train" in one else one
            for one in map(self.thoughts.told, messages)
        ]
        ends = self._ends
        rendered = self._format.render(
            plain, tools_of(row.tools), training=True, generation_prompt=ask,
            bos_token=ends["bos_token"], eos_token=ends["eos_token"],
        )  # fmt: skip
        pieces = self._told_tokens(rendered.pieces)
        if self.section.loss == "all" and not alone:
            return [piece._replace(trained=True) for piece in pieces]
        if alone or self.section.loss == "last-answer":
            told = [False] * (len(told) - 1) + told[-1:]
        return pieces if all(told) else _counted(pieces, told)

    @cached_property
    def _likeness(self) -> re.Pattern[str]:
        """What finds the text of any special token."""
        tokens = text_encoder(self.tokenizer, self.special_tokens).special_texts
        longest_first = map(re.escape, sorted(tokens, key=len, reverse=True))
        return re.compile(f"({'|'.join(longest_first) or '(?!)'})")

    def _told_tokens(self, pieces: Sequence[Piece]) -> list[Piece]:
        """Return pieces, what looks like a special token being one where the run file says so."""
        if self.section.special_text != "tokens":
            return list(pieces)
        return [
            Piece(part, special=piece.special or n % 2 == 1, trained=piece.trained)
            for piece in pieces
            for n, part in enumerate(
                [piece.text] if piece.special else self._likeness.split(piece.text)
            )
            if part
        ]


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
    "Choose another `stage` (`luthier plugins stages` lists them), or another `format` of the data."
)
_OTHER_IDS = "Make the ids with the tokenizer of this run's model, or leave the row out."
_NO_PLACE = "Choose another `template`, or leave the row out"


def _named(row: StandardRow) -> str:
    pair = isinstance(row, Tokens) and row.rejected is not None
    return "a preference of ids" if pair else _NAMES[type(row)]


def _answers(messages: Sequence[Message]) -> list[Message]:
    return [message for message in messages if message.get("role") == "assistant"]


def _counted(pieces: Sequence[Piece], told: Sequence[bool]) -> list[Piece]:
    """Return pieces, the n-th trained stretch of them only where the n-th answer is to be.

    Raises:
        BadValue: the answers are not one stretch each.
    """
    made, number, before = [], -1, False
    for piece in pieces:
        number += piece.trained and not before
        before = piece.trained
        keep = piece.trained and number < len(told) and told[number]
        made.append(piece if keep == piece.trained else piece._replace(trained=keep))
    if number + 1 != len(told):
        raise BadValue(
            f"it has {len(told)} answers, which the chat template prints as {number + 1} stretches,"
            " so it cannot be told which of them the loss is to count",
            "Let the loss count all (`encoding.loss: answers`, no `train` in the messages), or "
            "choose another `template`.",
        )
    return made
