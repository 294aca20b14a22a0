"""Which rows share a sequence, and where running text is cut.

`packed` puts whole rows together, none of them cut (Krell et al., 2021, arXiv:2107.02027);
`chopped` cuts the concatenation of all rows into blocks of one size, as pre-training does. Both
read lengths and give numbers: the tokens stay where they are stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from luthier.core.errors import BadData

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Packs:
    """Rows in packs: two flat arrays, 8 bytes for each row and for each pack."""

    order: Numbers
    """Row numbers, pack after pack."""
    offsets: Numbers
    """Pack n is `order[offsets[n]:offsets[n + 1]]`."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, number: int) -> Numbers:
        """Return the row numbers of a pack, the longest row first."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self.order[self.offsets[number] : self.offsets[number + 1]]


@dataclass(frozen=True)
class Blocks:
    """Blocks of running text: each is some spans of rows, in order.

    With all tokens end to end in one array, and `begins[r]` where row r begins there, span s is
    `tokens[begins[rows[s]] + starts[s] : begins[rows[s]] + stops[s]]`.
    """

    rows: Numbers
    """The row of each span."""
    starts: Numbers
    """The first token of each span, counted in its row."""
    stops: Numbers
    """The token after the last of each span, counted in its row."""
    offsets: Numbers
    """Block n is the spans from `offsets[n]` to `offsets[n + 1]`."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, number: int) -> list[tuple[int, int, int]]:
        """Return the spans of a block: row, first token, token after the last."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        of_block = slice(self.offsets[number], self.offsets[number + 1])
        columns = (self.rows[of_block], self.starts[of_block], self.stops[of_block])
        return list(zip(*(column.tolist() for column in columns), strict=True))


PAIR = 2
"""A token and the one that it predicts: of blocks so short each token is in one."""


def packed(lengths: ArrayLike, capacity: int) -> Packs:
    """Return rows in as few packs as best-fit decreasing finds; each row is in one, whole.

    From the longest row to the shortest, each goes to the pack that it leaves the least room in;
    where none has the room, to a new one. The same lengths always give the same packs. Packs stand
    in the order in which they were opened, those of the longest rows first: shuffle them.

    Args:
        lengths: tokens of each row, at least 1.
        capacity: the most tokens of a pack.

    Raises:
        BadData: a row is longer than `capacity`, or is empty; it names the first such row.
    """
    sizes = _sizes(lengths, capacity)
    _require_fitting(sizes, capacity)
    falling = np.argsort(-sizes, kind="stable")
    pack_of = np.array(_best_fit(sizes, capacity), dtype=np.int64)
    counts = np.bincount(pack_of) if len(sizes) else np.zeros(0, np.int64)
    # stable: within a pack rows stay in falling order
    return Packs(falling[np.argsort(pack_of, kind="stable")], _offsets(counts))


def filled_share(packs: Packs, lengths: ArrayLike, capacity: int) -> float:
    """Return the share of all places in packs that a token takes; the rest would be padding."""
    places = len(packs) * capacity
    return float(np.asarray(lengths)[packs.order].sum() / places) if places else 1.0


def chopped(lengths: ArrayLike, capacity: int) -> Blocks:
    """Return all tokens, row after row, in blocks of `capacity`; no token is lost.

    A row may begin in one block and end in another. Only the last two blocks may be shorter.

    Args:
        lengths: tokens of each row; an empty row has no span.
        capacity: the tokens of a block.
    """
    sizes = _sizes(lengths, capacity)
    ends = np.cumsum(sizes, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    bounds = bounds_of(total, capacity)
    # a span begins where a row does, and where a block does
    cuts = np.union1d(bounds, ends) if total else np.zeros(1, np.int64)
    begins, stops = cuts[:-1], cuts[1:]
    rows = np.searchsorted(ends, begins, side="right")
    row_begins = ends[rows] - sizes[rows]
    offsets = np.searchsorted(begins, bounds).astype(np.int64)
    return Blocks(rows, begins - row_begins, stops - row_begins, offsets)


def bounds_of(total: int, capacity: int) -> Numbers:
    """Return where stretches of so many tokens begin, each at most `capacity`, and the last's end.

    A last one of a single token, which nothing would predict, takes one of the stretch before it.
    """
    bounds = np.append(np.arange(0, total, capacity), total)
    if total % capacity == 1 and total > capacity > PAIR:
        bounds[-2] -= 1
    return bounds


def _best_fit(sizes: Numbers, capacity: int) -> list[int]:
    """Return the pack of each row, for rows in falling order of length.

    Rows of one length are placed together. The pack with the least room that fits keeps being it
    until it is full: room r takes r // length of them in a row. `roomy` has bit r set where
    a pack with room r is, so the least that fits is its lowest bit from `length` on.
    """
    by_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    roomy, opened = 0, 0
    pack_of: list[int] = []
    counts = np.bincount(sizes, minlength=1)
    for length in np.flatnonzero(counts)[::-1].tolist():
        left = int(counts[length])
        while left:
            fitting = roomy >> length
            room = length + (fitting & -fitting).bit_length() - 1 if fitting else capacity
            each = room // length
            wanted = -(-left // each)
            if fitting:
                packs = by_room[room][-wanted:]
                del by_room[room][-wanted:]
                if not by_room[room]:
                    roomy ^= 1 << room
            else:
                packs = list(range(opened, opened + wanted))
                opened += wanted
            placed = min(left, each * len(packs))
            pack_of += packs if each == 1 else np.repeat(packs, each)[:placed].tolist()
            left -= placed
            # only the last pack of a length may have got fewer than it takes
            last = room - (placed - each * (len(packs) - 1)) * length
            full = room - each * length
            by_room[full] += packs[:-1]
            by_room[last].append(packs[-1])
            roomy |= 1 << last
            if len(packs) > 1:
                roomy |= 1 << full
    return pack_of


def _sizes(lengths: ArrayLike, capacity: int) -> Numbers:
    if capacity < 1:
        raise ValueError(f"a capacity of {capacity} holds no token")
    sizes = np.asarray(lengths, dtype=np.int64).reshape(-1)
    if (sizes < 0).any():
        raise ValueError(f"row {int(np.argmax(sizes < 0)) + 1} has a negative length")
    return sizes


def _require_fitting(sizes: Numbers, capacity: int) -> None:
    if (sizes > capacity).any():
        row = int(np.argmax(sizes > capacity))
        raise BadData(
            f"row {row + 1} has {sizes[row]} tokens, and a pack holds {capacity} "
            f"({int((sizes > capacity).sum())} of {len(sizes)} rows are longer). "
            "Raise `encoding.max_length`, or leave long rows out: `encoding.overflow=drop`."
        )
    if (sizes == 0).any():
        row = int(np.argmax(sizes == 0))
        raise BadData(f"row {row + 1} has no tokens, so it has no place in a pack. Leave it out.")


def _offsets(counts: Numbers) -> Numbers:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
