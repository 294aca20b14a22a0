"""Ids as a reader can see them: each with its text, and what becomes of it in training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unicodedata import category

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.templates import Encoded

UNFINISHED = "\ufffd"
"""What tokenizers print for the bytes of a character that is not whole."""
MOST_BYTES = 4
"""The bytes of the longest character in UTF-8: after so many tokens none is still to come."""

_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What turns the direction of the text after it."""


@dataclass(frozen=True)
class Stretch:
    """One token; or several that only together are whole characters."""

    ids: tuple[int, ...]
    text: str
    """What they are, decoded where they stand."""
    special: bool
    """Whether it is a special token."""
    trained: bool
    """Whether the loss counts it."""
    part: int | None
    """Which of the rows that are made of this one it goes to, from 0; None where it is cut off."""


def stretches_of(
    row: Encoded,
    tokenizer: PreTrainedTokenizerBase,
    special_ids: set[int],
    part_of: Callable[[int], int | None],
) -> Iterator[Stretch]:
    """Yield the tokens of a row, each with its text.

    Args:
        row: the ids, and which of them are trained.
        tokenizer: what decodes them.
        special_ids: the ids of special tokens.
        part_of: the part that the token of a place goes to.
    """
    facts = [
        (i in special_ids, trained, part_of(at))
        for at, (i, trained) in enumerate(zip(row.ids, row.mask, strict=True))
    ]
    begin = 0
    for end, text in _whole(row.ids, tokenizer, facts):
        yield Stretch(tuple(row.ids[begin:end]), text, *facts[begin])
        begin = end


def _whole(
    ids: Sequence[int], tokenizer: PreTrainedTokenizerBase, facts: Sequence[object]
) -> Iterator[tuple[int, str]]:
    """Yield where each stretch ends, and its text.

    A token is decoded behind the one before it, since some tokenizers drop a space at the start
    of what they decode.
    """
    before = begin = 0
    for end in range(1, len(ids) + 1):
        known = _decoded(ids[before:begin], tokenizer)
        text = _decoded(ids[before:end], tokenizer)
        added = (
            text[len(known) :] if text.startswith(known) else _decoded(ids[begin:end], tokenizer)
        )
        changes = end == len(ids) or facts[end] != facts[begin]
        if changes or end - begin >= MOST_BYTES or (added and not added.endswith(UNFINISHED)):
            yield end, added
            before, begin = begin, end


def _decoded(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> str:
    if not ids:
        return ""
    return str(
        tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    )


def printable(text: str) -> str:
    """Return a text with what a terminal would obey written out by its number."""
    return "".join(
        ascii(c)[1:-1] if c not in "\n\t" and (category(c) == "Cc" or c in _TURNING) else c
        for c in text
    )
