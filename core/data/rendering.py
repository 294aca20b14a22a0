"""Conversations as pieces of text, of which the loss counts what a run file's `encoding` says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from luthier.core.data.standard import BadValue, Conversation, Judged, Message
from luthier.core.data.thoughts import Thoughts
from luthier.core.errors import BadModel
from luthier.core.sections import EncodingSection
from luthier.core.templates.messages import tools_of
from luthier.core.templates.pieces import Piece
from luthier.core.templates.tokenizing import text_encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.templates import ChatTemplate


@dataclass(frozen=True)
class Rendering:
    """Makes pieces of rows, by the template of a run and the tokenizer of its model."""

    template: ChatTemplate | None
    tokenizer: PreTrainedTokenizerBase
    section: EncodingSection = field(default_factory=EncodingSection)

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The special tokens of the chat template; those of the tokenizer are not among them."""
        return self.template.all_special_tokens() if self.template is not None else ()

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

    def document(self, text: str) -> list[Piece]:
        """Return a text that stands alone, all of it trained, begun and ended by the tokenizer."""
        begin, end = self._document_ends
        return [*begin, *self._told_tokens([Piece(text, special=False, trained=True)]), *end]

    def pieces_of(
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
