"""Several datasets become one order, the same for the same seed, mapped or as a stream."""

from collections import Counter

import datasets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.data.mixing import interleaved, mixed
from luthier.core.errors import BadData

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=5)
SEEDS = st.integers(0, 2**32 - 1)
STOPPING = st.sampled_from(["under", "over", "once"])
STRATEGY = st.sampled_from(["concatenate", "under", "over", "once"])


@st.composite
def weighted(draw):
    """Lengths, and weights for them or none."""
    lengths = draw(LENGTHS)
    weight = st.floats(0.05, 20)
    weights = st.lists(weight, min_size=len(lengths), max_size=len(lengths))
    return lengths, draw(st.none() | weights)


def pairs(order):
    return [tuple(pair) for pair in order.tolist()]


def all_of(lengths):
    return [(d, row) for d, length in enumerate(lengths) for row in range(length)]


@given(LENGTHS, SEEDS)
def test_concatenated_every_row_comes_once_in_an_order_of_the_seed(lengths, seed):
    assert pairs(mixed(lengths, "concatenate", seed, shuffled=False)) == all_of(lengths)
    order = mixed(lengths, "concatenate", seed)
    assert sorted(pairs(order)) == all_of(lengths)
    assert pairs(mixed(lengths, "concatenate", seed)) == pairs(order)


def test_another_seed_is_another_order_and_datasets_mingle():
    orders = [pairs(mixed([50, 50], "concatenate", seed)) for seed in (1, 2)]
    assert orders[0] != orders[1]
    assert {d for d, _ in orders[0][:20]} == {0, 1}


@given(weighted(), STOPPING, SEEDS)
def test_a_stream_alternates_as_the_mapped_order_does(setting, stopping, seed):
    lengths, weights = setting
    sources = [[(d, row) for row in range(length)] for d, length in enumerate(lengths)]
    streamed = list(interleaved(sources, stopping, seed, weights=weights))
    assert streamed == pairs(mixed(lengths, stopping, seed, weights=weights, shuffled=False))


@given(weighted(), SEEDS, st.booleans())
def test_once_every_row_comes_once(setting, seed, shuffled):
    lengths, weights = setting
    order = mixed(lengths, "once", seed, weights=weights, shuffled=shuffled)
    assert sorted(pairs(order)) == all_of(lengths)


@given(weighted(), SEEDS, st.booleans())
def test_under_ends_with_the_last_row_of_the_first_that_is_through(setting, seed, shuffled):
    lengths, weights = setting
    order = pairs(mixed(lengths, "under", seed, weights=weights, shuffled=shuffled))
    read = Counter(d for d, _ in order)
    assert len(set(order)) == len(order)
    through = [d for d, length in enumerate(lengths) if read[d] == length]
    assert through == [order[-1][0]]


@given(weighted(), SEEDS, st.booleans())
def test_over_ends_once_all_are_through_and_reads_others_evenly_again(setting, seed, shuffled):
    lengths, weights = setting
    order = pairs(mixed(lengths, "over", seed, weights=weights, shuffled=shuffled))
    read = Counter(order)
    assert set(read) == set(all_of(lengths))
    last = order[-1][0]
    assert all(read[last, row] == 1 for row in range(lengths[last]))
    for d, length in enumerate(lengths):
        times = [read[d, row] for row in range(length)]
        assert max(times) - min(times) <= 1


def test_datasets_without_weights_take_turns():
    three = [
        [f"{name}{n}" for n in range(length)] for name, length in zip("abc", (2, 3, 4), strict=True)
    ]
    read = {how: " ".join(interleaved(three, how, 0)) for how in ("under", "once", "over")}
    assert read["under"] == "a0 b0 c0 a1"
    assert read["once"] == "a0 b0 c0 a1 b1 c1 b2 c2 c3"
    assert read["over"] == "a0 b0 c0 a1 b1 c1 a0 b2 c2 a1 b0 c3"


@pytest.mark.parametrize(
    ("stopping", "theirs"), [("under", "first_exhausted"), ("over", "all_exhausted")]
)
def test_weights_are_probabilities_as_the_datasets_library_draws_them(stopping, theirs):
    lengths, weights = [30, 50, 20], [0.5, 0.2, 0.3]
    sets = [
        datasets.Dataset.from_dict({"d": [d] * n, "row": list(range(n))})
        for d, n in enumerate(lengths)
    ]
    for seed in range(5):
        expected = datasets.interleave_datasets(
            sets, probabilities=weights, seed=seed, stopping_strategy=theirs
        )
        order = mixed(lengths, stopping, seed, weights=weights, shuffled=False)
        assert pairs(order) == list(zip(expected["d"], expected["row"], strict=True))


def test_weights_are_the_shares_of_what_is_read():
    order = mixed([100_000, 100_000], "under", 0, weights=[3, 1])
    assert np.mean(order[:, 0] == 0) == pytest.approx(0.75, abs=0.01)


@given(LENGTHS, STRATEGY, SEEDS, st.floats(0.5, 3.4), st.booleans())
def test_a_repeat_is_whole_passes_and_a_part_of_one(lengths, strategy, seed, repeat, shuffled):
    order = mixed(lengths, strategy, seed, repeats=[repeat] * len(lengths), shuffled=shuffled)
    read = Counter(pairs(order))
    if strategy in {"concatenate", "once"}:
        for d, length in enumerate(lengths):
            times = [read[d, row] for row in range(length)]
            assert sum(times) == int(length * repeat + 0.5)
            assert max(times) - min(times) <= 1


def test_one_and_a_half_times_is_every_row_and_a_random_half_again():
    halves = set()
    for seed in range(20):
        order = pairs(mixed([4], "concatenate", seed, repeats=[1.5], shuffled=False))
        assert order[:4] == all_of([4])
        assert order[4:] == sorted(set(order[4:]))
        halves.add(tuple(order[4:]))
    assert len(halves) > 2


def test_rows_of_one_dataset_stay_as_they_are_when_another_grows():
    def first(lengths):
        return [row for d, row in pairs(mixed(lengths, "once", 7)) if d == 0]

    assert first([9, 3]) == first([9, 300])


def test_a_dataset_that_can_give_nothing_is_named():
    with pytest.raises(BadData, match="dataset 2 has no rows"):
        mixed([3, 0], "over", 0)
    with pytest.raises(BadData, match="dataset 2 has no rows"):
        next(interleaved([[1], []], "over", 0))
    with pytest.raises(BadData, match=r"b\.jsonl has no rows, or none of them is left"):
        next(interleaved([[1], []], "over", 0, names=["a.jsonl", "b.jsonl"]))
    with pytest.raises(BadData, match=r"dataset 1: a repeat of 0\.1 leaves none of its 3 rows"):
        mixed([3], "once", 0, repeats=[0.1])
    for weight in (0, -1, float("nan")):
        with pytest.raises(BadData, match="dataset 1 has the weight"):
            mixed([3, 3], "once", 0, weights=[weight, 1])


def test_settings_are_one_for_each_dataset():
    with pytest.raises(ValueError, match="1 weights for 2 datasets"):
        mixed([3, 3], "once", 0, weights=[1])
    with pytest.raises(ValueError, match="1 repeats for 2 datasets"):
        mixed([3, 3], "once", 0, repeats=[1])


def test_what_is_read_once_only_is_not_begun_again():
    with pytest.raises(TypeError, match="none may be an iterator"):
        next(interleaved([iter([1]), [2]], "over", 0))
    assert list(interleaved([iter([1]), iter([2, 3])], "once", 0)) == [1, 2, 3]


def test_a_stream_is_read_no_further_than_one_row_ahead():
    told = []

    def rows(name):
        for n in range(100):
            told.append(name)
            yield n

    stream = interleaved([rows("a"), rows("b")], "once", 0)
    for _ in range(4):
        next(stream)
    assert Counter(told) == {"a": 3, "b": 2}
