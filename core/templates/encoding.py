"""Token ids of pieces: special tokens by their ids, everything else as ordinary text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luthier.core.templates.tokenizing import SPECIAL, START, TextEncoder, text_encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.templates.pieces import Piece

IGNORED = -100
"""The label of a token that the loss does not count, as torch's cross entropy has it."""


@dataclass(slots=True)
class Encoded:
    """Token ids, and which of them the loss counts; it can be taken apart as `ids, mask`."""

    ids: list[int]
    runs: list[tuple[int, bool]]
    """How many ids follow each other that are all trained, or all not; together they are all."""

    def __iter__(self) -> Iterator[list[Any]]:
        return iter((self.ids, self.mask))

    @property
    def mask(self) -> list[bool]:
        """For each id whether the loss counts it."""
        return [trained for count, trained in self.runs for _ in range(count)]

    @property
    def labels(self) -> list[int]:
        """The ids that the loss counts, `IGNORED` elsewhere."""
        return [i if kept else IGNORED for i, kept in zip(self.ids, self.mask, strict=True)]


def encoded(
    rendered: Iterable[Iterable[Piece]],
    tokenizer: PreTrainedTokenizerBase,
    special_tokens: tuple[str, ...],
) -> list[Encoded]:
    """Return the ids of the pieces of conversations, as the tokenizer gives them for whole texts.

    Text is cut at special tokens, and where the loss changes, so that prompt ids are a prefix of
    training ids. The texts of all conversations are encoded at once.

    Args:
        rendered: the pieces of each conversation.
        tokenizer: what gives the ids.
        special_tokens: those of the template, which no text of others becomes.

    Raises:
        TemplateError: the tokenizer lacks a special token.
    """
    text = text_encoder(tokenizer, special_tokens)
    texts: list[tuple[str, bool]] = []
    rows = [_parts_of(pieces, text, texts) for pieces in rendered]
    found = iter(text.all(texts))
    return [_joined(parts, found) for parts in rows]


def _joined(parts: list[tuple[int | None, bool]], texts: Iterator[list[int]]) -> Encoded:
    """Return special tokens, and the ids of the text that stands at each None, as one sequence."""
    ids: list[int] = []
    runs: list[tuple[int, bool]] = []
    begun, kept = 0, False
    for special, trained in parts:
        if trained != kept:
            if len(ids) > begun:
                runs.append((len(ids) - begun, kept))
            begun, kept = len(ids), trained
        if special is None:
            ids += next(texts)
        else:
            ids.append(special)
    if len(ids) > begun:
        runs.append((len(ids) - begun, kept))
    return Encoded(ids, runs)


def _parts_of(
    pieces: Iterable[Piece], text: TextEncoder, texts: list[tuple[str, bool]]
) -> list[tuple[int | None, bool]]:
    """Return the id of each special token, None for each text, which is added to `texts`."""
    parts: list[tuple[int | None, bool]] = []
    spaced = text.is_spaced(START)
    for written, special, trained in _stripped(pieces, text):
        if special:
            parts.append((text.special_id(written), trained))
            spaced = text.is_spaced(SPECIAL)
        elif written:
            texts.append((written, spaced))
            parts.append((None, trained))
            spaced = False
    return parts


def _stripped(pieces: Iterable[Piece], text: TextEncoder) -> Iterable[Piece]:
    """Return pieces without the white space that special tokens beside them take."""
    if not (text.strip_after or text.strip_before):
        return pieces
    made, stripping = [], False
    pending = list(pieces)
    for piece, following in zip(pending, [*pending[1:], None], strict=True):
        if piece.special:
            stripping = piece.text in text.strip_after
            made.append(piece)
            continue
        written = piece.text.lstrip() if stripping else piece.text
        if following is not None and following.special and following.text in text.strip_before:
            written = written.rstrip()
        if written:
            stripping = False
            made.append(piece._replace(text=written))
    return made
