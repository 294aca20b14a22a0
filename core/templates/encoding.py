"""Token ids of pieces: special tokens by their ids, everything else as ordinary text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luthier.core.templates.tokenizing import SPECIAL, START, TEXT, TextEncoder, text_encoder

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
    rows = [list(_parts_of(pieces, text, texts)) for pieces in rendered]
    found = iter(text.all(texts))
    made = []
    for parts in rows:
        ids: list[int] = []
        runs: list[tuple[int, bool]] = []
        for special, trained in parts:
            before = len(ids)
            if special is None:
                ids += next(found)
            else:
                ids.append(special)
            runs.append((len(ids) - before, trained))
        made.append(Encoded(ids, runs))
    return made


def _parts_of(
    pieces: Iterable[Piece], text: TextEncoder, texts: list[tuple[str, bool]]
) -> Iterator[tuple[int | None, bool]]:
    """Yield the id of each special token, None for each text, which is added to `texts`."""
    before, stripping = START, False
    pending = list(pieces)
    for piece, following in zip(pending, [*pending[1:], None], strict=True):
        if piece.special:
            yield text.special_id(piece.text), piece.trained
            before, stripping = SPECIAL, piece.text in text.strip_after
            continue
        written = piece.text.lstrip() if stripping else piece.text
        if following is not None and following.special and following.text in text.strip_before:
            written = written.rstrip()
        if written:
            texts.append((written, text.is_spaced(before)))
            yield None, piece.trained
            before, stripping = TEXT, False
