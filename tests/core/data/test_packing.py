"""Every row is in one pack, no pack is over its capacity, and running text loses no token."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.data.packing import chopped, filled_share, packed
from luthier.core.errors import BadData

CAPACITY = 16
LENGTHS = st.lists(st.integers(1, CAPACITY), max_size=60)


def long_tailed(rows, seed=0):
    """Lengths with a mean of about 200 tokens, most of them short."""
    drawn = np.random.default_rng(seed).lognormal(np.log(200) - 0.5, 1.0, rows)
    return np.clip(drawn.round(), 1, 2048).astype(np.int64)


def rooms_by_best_fit(lengths, capacity):
    """Return what each pack has left, by best-fit decreasing as textbooks have it."""
    rooms = []
    for length in sorted(lengths, reverse=True):
        fitting = [n for n, room in enumerate(rooms) if room >= length]
        if not fitting:
            fitting = [len(rooms)]
            rooms.append(capacity)
        rooms[min(fitting, key=rooms.__getitem__)] -= length
    return sorted(rooms)


@given(LENGTHS)
def test_every_row_is_in_one_pack_and_no_pack_is_over_its_capacity(lengths):
    packs = packed(lengths, CAPACITY)
    assert sorted(packs.order.tolist()) == list(range(len(lengths)))
    assert all(0 < sum(lengths[n] for n in pack) <= CAPACITY for pack in packs)
    assert packs.offsets[0] == 0
    assert packs.offsets[-1] == len(lengths)


@given(LENGTHS)
def test_no_two_packs_fit_into_one(lengths):
    filled = sorted(sum(lengths[n] for n in pack) for pack in packed(lengths, CAPACITY))
    assert len(filled) < 2 or filled[0] + filled[1] > CAPACITY


@given(LENGTHS)
def test_packs_are_as_full_as_by_placing_row_after_row(lengths):
    rooms = sorted(CAPACITY - sum(lengths[n] for n in pack) for pack in packed(lengths, CAPACITY))
    assert rooms == rooms_by_best_fit(lengths, CAPACITY)


@given(LENGTHS)
def test_the_same_lengths_give_the_same_packs(lengths):
    one, other = packed(lengths, CAPACITY), packed(np.array(lengths, np.int32), CAPACITY)
    assert [pack.tolist() for pack in one] == [pack.tolist() for pack in other]


def test_a_small_set_is_packed_as_one_would_by_hand():
    packs = packed([3, 8, 5, 2, 10, 2], 10)
    assert [pack.tolist() for pack in packs] == [[4], [1, 3], [2, 0, 5]]
    with pytest.raises(IndexError):
        packs[3]
    assert len(packed([], 10)) == 0


def test_twenty_thousand_long_tailed_rows_leave_under_four_thousandths_of_pads():
    for seed in range(3):
        lengths = long_tailed(20_000, seed)
        assert 190 < lengths.mean() < 210
        assert filled_share(packed(lengths, 2048), lengths, 2048) >= 0.996


def test_a_million_rows_are_packed_in_seconds():
    lengths = long_tailed(1_000_000)
    began = time.process_time()
    packs = packed(lengths, 2048)
    assert time.process_time() - began < 5
    assert filled_share(packs, lengths, 2048) > 0.9999


def test_a_row_longer_than_a_pack_is_named():
    with pytest.raises(BadData, match=r"row 3 has 11 tokens, and a pack holds 10 \(2 of 4 rows"):
        packed([1, 2, 11, 12], 10)


def test_a_row_of_no_tokens_is_named():
    with pytest.raises(BadData, match="row 2 has no tokens"):
        packed([1, 0], 10)


def test_a_capacity_of_nothing_is_no_capacity():
    with pytest.raises(ValueError, match="holds no token"):
        packed([1], 0)


def texts_of(blocks, lengths):
    """Cut the blocks out of rows whose tokens are pairs of row and place."""
    return [
        [(row, place) for row, start, stop in block for place in range(start, stop)]
        for block in blocks
    ]


@given(st.lists(st.integers(0, 30), max_size=20), st.integers(2, 40))
def test_blocks_hold_every_token_in_its_order(lengths, capacity):
    blocks = texts_of(chopped(lengths, capacity), lengths)
    whole = [(row, place) for row, length in enumerate(lengths) for place in range(length)]
    assert [token for block in blocks for token in block] == whole
    assert all(len(block) == capacity for block in blocks[:-2])
    assert all(0 < len(block) <= capacity for block in blocks)
    # a lone token would be predicted by nothing
    if capacity > 2 and len(whole) != 1:
        assert all(len(block) > 1 for block in blocks)


def test_a_long_row_goes_on_in_the_next_block_and_the_short_last_one_is_kept():
    blocks = chopped([3, 6, 2], 4)
    assert list(blocks) == [[(0, 0, 3), (1, 0, 1)], [(1, 1, 5)], [(1, 5, 6), (2, 0, 2)]]
    assert len(blocks) == 3
    assert list(chopped([3, 6], 4)) == [[(0, 0, 3), (1, 0, 1)], [(1, 1, 4)], [(1, 4, 6)]]


def test_spans_find_their_tokens_in_flat_storage():
    lengths = np.array([3, 6, 2])
    tokens = np.arange(lengths.sum())
    begins = np.cumsum(lengths) - lengths
    blocks = chopped(lengths, 4)
    spans = zip(blocks.rows, blocks.starts, blocks.stops, strict=True)
    read = [tokens[begins[row] + start : begins[row] + stop] for row, start, stop in spans]
    assert np.concatenate(read).tolist() == tokens.tolist()
