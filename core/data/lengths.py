"""What becomes of rows that are longer than the run file allows, or of which nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from luthier.core.data.encoding import ANSWERED, PROMPT
from luthier.core.data.packing import bounds_of
from luthier.core.data.standard import BadValue
from luthier.core.runfile import Run
from luthier.core.templates import Encoded

RUNNING_TEXT = "running-text"
"""The trait of a stage that cuts the tokens of all rows by itself, wherever rows end."""


class TooLong(BadValue):
    """A row of more tokens than `encoding.max_length`."""


def trained_count(row: Encoded) -> int:
    """Return how many tokens the loss counts; the first has nothing before it to be told from."""
    first = next((trained for count, trained in row.runs if count), False)
    return sum(count for count, trained in row.runs if trained) - first


def length_of(row: Mapping[str, Encoded]) -> int:
    """Return the tokens of the longest sequence that a forward pass is to hold of a row.

    An answer that the data has to a prompt is only compared with.
    """
    return max(len(one.ids) for name, one in row.items() if name != ANSWERED)


@dataclass(frozen=True)
class LengthLimit:
    """How long a row may be, and what becomes of a longer one."""

    tokens: float
    """The most tokens; infinite where rows of any length are taken."""
    overflow: str = "error"
    """`encoding.overflow` of the run file."""

    @classmethod
    def of(cls, run: Run) -> LengthLimit:
        """Return the limit of a run; there is none where its stage cuts running text by itself."""
        whole = any(RUNNING_TEXT in stage.traits for stage in run.of("stages"))
        return cls(math.inf if whole else run.encoding.max_length, run.encoding.overflow)

    def fitting(self, row: Mapping[str, Encoded]) -> Iterator[dict[str, Encoded]]:
        """Yield what of a row is trained on: itself, its beginning, its parts, or nothing of it.

        A prompt without its end would ask for something else, so such a row is left out.

        Raises:
            TooLong: it is too long, and that is an error; or it is to be split and is no plain
                text.
            BadValue: no token of it is trained.
        """
        longest = length_of(row)
        if not all(map(trained_count, row.values())):
            raise BadValue(
                "no token of it is trained: its answer is empty, or is not to be counted",
                "Give the row an answer that is, or leave it out.",
            )
        if longest <= self.tokens:
            yield dict(row)
        elif self.overflow == "truncate":
            if PROMPT in row:
                return
            cut = {name: part_of(one, 0, int(self.tokens)) for name, one in row.items()}
            if all(map(trained_count, cut.values())):
                yield cut
        elif self.overflow != "drop":
            yield from self._parts_of(row, longest)

    def _parts_of(self, row: Mapping[str, Encoded], longest: int) -> Iterator[dict[str, Encoded]]:
        """Yield the parts of plain text that is to be split.

        Raises:
            TooLong: it is not to be. The second part of a conversation would be answers to nothing.
        """
        said = f"it has {longest} tokens, and encoding.max_length is {self.tokens}"
        (name, text), *others = row.items()
        is_text = not others and name != PROMPT and all(kept for _, kept in text.runs)
        if self.overflow == "split" and is_text:
            for start, stop in pairwise(bounds_of(longest, int(self.tokens)).tolist()):
                yield {"": part_of(text, start, stop)}
            return
        if self.overflow == "split":
            said += "; it is not split, as it is no plain text"
        raise TooLong(
            said,
            "Raise `encoding.max_length`, or leave long rows out (`encoding.overflow=drop`)"
            + ("" if PROMPT in row else ", or cut their ends off (`encoding.overflow=truncate`)")
            + (", or go on in a new row (`encoding.overflow=split`)." if is_text else "."),
        )


def part_of(row: Encoded, start: int, stop: int) -> Encoded:
    """Return the ids of a row from one place to before another, and which are trained."""
    runs, at = [], 0
    for count, trained in row.runs:
        inside = min(at + count, stop) - max(at, start)
        if inside > 0:
            runs.append((inside, trained))
        at += count
    return Encoded(row.ids[start:stop], runs)
