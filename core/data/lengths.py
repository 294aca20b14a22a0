"""What becomes of rows that are longer than the run file allows, or of which nothing is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from luthier.core.data.standard import BadValue
from luthier.core.sections import EncodingSection
from luthier.core.templates import Encoded


class TooLong(BadValue):
    """A row of more tokens than `encoding.max_length`."""


def trained_count(row: Encoded) -> int:
    """Return how many tokens the loss counts; the first has nothing before it to be told from."""
    first = next((trained for count, trained in row.runs if count), False)
    return sum(count for count, trained in row.runs if trained) - first


def fitting(row: Mapping[str, Encoded], section: EncodingSection) -> Iterator[dict[str, Encoded]]:
    """Yield what of a row is trained on: itself, its beginning, its parts, or nothing of it.

    Raises:
        TooLong: it is too long, and that is an error; or it is to be split and is no plain text.
        BadValue: no token of it is trained.
    """
    limit = section.max_length
    longest = max(len(one.ids) for one in row.values())
    if not all(map(trained_count, row.values())):
        raise BadValue(
            "no token of it is trained, as its answer is empty",
            "Give the row an answer, or leave it out.",
        )
    if longest <= limit:
        yield dict(row)
    elif section.overflow == "error":
        raise TooLong(
            f"it has {longest} tokens, and encoding.max_length is {limit}",
            "Raise `encoding.max_length`, or leave long rows out (`encoding.overflow=drop`), or "
            "cut their ends off (`encoding.overflow=truncate`).",
        )
    elif section.overflow == "truncate":
        cut = {name: part_of(one, 0, limit) for name, one in row.items()}
        if all(map(trained_count, cut.values())):
            yield cut
    elif section.overflow == "split":
        yield from _split(row, limit)


def _split(row: Mapping[str, Encoded], limit: int) -> Iterator[dict[str, Encoded]]:
    """Yield the parts of plain text.

    Raises:
        TooLong: it is none. The second part of a conversation would be answers to nothing.
    """
    ((_, text), *others) = row.items()
    if others or not all(kept for _, kept in text.runs):
        raise TooLong(
            f"it has {len(text.ids)} tokens, encoding.max_length is {limit}, and only plain text "
            "is split: the loss is not to count all of this",
            "Raise `encoding.max_length`, or choose `encoding.overflow=drop` or `truncate`.",
        )
    for start in range(0, len(text.ids), limit):
        yield {"": part_of(text, start, start + limit)}


def part_of(row: Encoded, start: int, stop: int) -> Encoded:
    """Return the ids of a row from one place to before another, and which are trained."""
    runs, at = [], 0
    for count, trained in row.runs:
        inside = min(at + count, stop) - max(at, start)
        if inside > 0:
            runs.append((inside, trained))
        at += count
    return Encoded(row.ids[start:stop], runs)
