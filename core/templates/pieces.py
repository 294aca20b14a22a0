"""The pieces of a rendered conversation, cut from marked text."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from luthier.core.templates.marking import CONTENT, IGNORED, LITERAL, TRAINED, unescaped


class Piece(NamedTuple):
    """A stretch of rendered text."""

    text: str
    special: bool
    """Whether it is one special token of the tokenizer."""
    trained: bool
    """Whether the loss counts it."""


@dataclass(frozen=True)
class Rendered:
    """A rendered conversation."""

    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The whole text, special tokens as text."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def trained_text(self) -> str:
        """The text that the loss counts."""
        return "".join(piece.text for piece in self.pieces if piece.trained)


@functools.lru_cache(maxsize=256)
def _pattern(tokens: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds, in marked text, whole contents, marks of the loss and special tokens."""
    longest_first = map(re.escape, sorted(tokens, key=len, reverse=True))
    content = f"{CONTENT}[^{LITERAL}]*{LITERAL}"
    return re.compile(f"({'|'.join((content, TRAINED, IGNORED, *longest_first))})")


def _parts(stretch: str, special_tokens: tuple[str, ...]) -> Sequence[str]:
    """Return what lies between special tokens, contents and marks, and at odd places these."""
    if stretch[:1] == CONTENT and type(stretch) is str:
        return (unescaped(stretch[1:-1]),)
    # a template's own text is the same each time; what a macro made of contents is not
    parted = _parted.__wrapped__ if CONTENT in stretch else _parted
    return parted(stretch, special_tokens)


@functools.lru_cache(maxsize=4096)
def _parted(stretch: str, special_tokens: tuple[str, ...]) -> list[str]:
    return _pattern(special_tokens).split(stretch)


@functools.lru_cache(maxsize=1024)
def _special(token: str, trained: bool) -> Piece:  # noqa: FBT001 (keywords would cost a third)
    return Piece(token, special=True, trained=trained)


class Cut(NamedTuple):
    """Pieces, and the places among them where something that is trained ends, be it empty."""

    pieces: list[Piece]
    ends: list[int]


def cut(stretches: Iterable[str], special_tokens: tuple[str, ...]) -> Cut:
    """Return the pieces of stretches of marked text.

    Special tokens are looked for in the template's own text alone; ordinary text that lies
    together, with the same part in the loss, is one piece.
    """
    pieces: list[Piece] = []
    ends: list[int] = []
    text, trained = "", False
    for stretch in stretches:
        for index, part in enumerate(_parts(stretch, special_tokens)):
            if index % 2 == 0:
                text += part
            elif part[0] == CONTENT:
                text += unescaped(part[1:-1])
            else:
                if text:
                    pieces.append(Piece._make((text, False, trained)))
                    text = ""
                if part in (TRAINED, IGNORED):
                    trained = part == TRAINED
                    ends += [] if trained else [len(pieces)]
                else:
                    pieces.append(_special(part, trained))
    if text:
        pieces.append(Piece._make((text, False, trained)))
    return Cut(pieces, ends)


def with_stops(made: Cut, stops: tuple[str, ...], *, last: str | None) -> list[Piece]:
    """Return pieces, with the special token that ends each answer trained.

    A format whose answers have no end token of their own is ended by the token of the turn that
    follows, so that one is what the model has to learn.

    Args:
        made: what was rendered.
        stops: the tokens that end an answer.
        last: the token that ends the final answer if nothing else does; None to add none.
    """
    pieces, added = list(made.pieces), None
    for end in made.ends:
        before = pieces[end - 1] if end else None
        following = pieces[end] if end < len(pieces) else None
        ended = before is not None and before.trained and before.special and before.text in stops
        if ended or (following is not None and following.trained):
            continue
        if following is not None and following.special and following.text in stops:
            pieces[end] = following._replace(trained=True)
        elif end == made.ends[-1]:
            added = last
    if added is not None:
        pieces.insert(made.ends[-1], Piece(added, special=True, trained=True))
    return pieces
