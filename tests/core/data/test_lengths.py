"""Rows that are too long, and rows of which nothing is trained."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core import BadData, train
from luthier.core.data import BadValue
from luthier.core.data.lengths import LengthLimit, TooLong, part_of, trained_count
from luthier.core.templates import Encoded

encoded_rows = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1).map(
    lambda runs: Encoded(list(range(sum(count for count, _ in runs))), runs)
)


@given(encoded_rows, st.integers(0, 12), st.integers(0, 12))
def test_a_part_of_a_row_is_what_stands_there(row, start, size):
    part = part_of(row, start, start + size)
    assert part.ids == row.ids[start : start + size]
    assert part.mask == row.mask[start : start + size]


@given(encoded_rows)
def test_the_first_token_is_never_counted(row):
    assert trained_count(row) == sum(row.mask[1:])


def kept(row, limit, overflow):
    return [part[""] for part in LengthLimit(limit, overflow).fitting({"": row})]


ROW = Encoded([1, 2, 3, 4, 5, 6], [(2, False), (4, True)])


def test_a_longer_row_is_an_error_dropped_cut_or_split():
    with pytest.raises(TooLong, match=r"6 tokens, and encoding\.max_length is 4"):
        kept(ROW, 4, "error")
    assert kept(ROW, 4, "drop") == []
    assert [list(part) for part in kept(ROW, 4, "truncate")] == [
        [[1, 2, 3, 4], [False, False, True, True]]
    ]
    text = Encoded(ROW.ids, [(6, True)])
    assert [part.ids for part in kept(text, 4, "split")] == [[1, 2, 3, 4], [5, 6]]
    assert kept(ROW, 6, "error") == [ROW]


def test_a_prompt_is_whole_or_left_out_and_the_answer_beside_it_is_of_any_length():
    prompt = Encoded([1, 2, 3], [(3, True)])
    row = {"prompt": prompt, "answered": Encoded([1, 2, 3, 4, 5], [(3, False), (2, True)])}
    for overflow in ("error", "drop", "truncate", "split"):
        assert [*LengthLimit(3, overflow).fitting(row)] == [row]
    for overflow in ("drop", "truncate"):
        assert [*LengthLimit(2, overflow).fitting(row)] == []
    for overflow in ("error", "split"):
        with pytest.raises(TooLong, match="it has 3 tokens") as fault:
            [*LengthLimit(2, overflow).fitting({"prompt": prompt})]
        assert "truncate" not in fault.value.remedy


def test_no_part_of_a_text_is_a_single_token_which_nothing_would_predict():
    text = Encoded([1, 2, 3, 4, 5], [(5, True)])
    assert [part.ids for part in kept(text, 4, "split")] == [[1, 2, 3], [4, 5]]
    with pytest.raises(TooLong) as fault:
        [*LengthLimit(4).fitting({"": text})]
    assert "or go on in a new row (`encoding.overflow=split`)" in fault.value.remedy


def test_a_stage_of_running_text_takes_documents_of_any_length(small_run, tmp_path):
    (tmp_path / "long.txt").write_text("Long is the way and hard. " * 40 + "\n")
    run = small_run(data=[str(tmp_path / "long.txt")], stage="pt", encoding={"max_length": 32})
    folder = train({**run, "training": {"epochs": 1, "batch_size": 1}})
    facts = json.loads(folder.manifest.read_text())["data"]
    assert (facts["rows"], facts["cut"]) == (1, 0)
    with pytest.raises(BadData, match="split"):
        train({**run, "stage": {"name": "pt", "packing": False}, "output": str(tmp_path / "two")})


def test_only_plain_text_is_split():
    """The second part of a conversation would be answers to nothing."""
    with pytest.raises(TooLong, match="it is no plain text"):
        kept(ROW, 4, "split")


def test_of_a_preference_each_answer_has_to_be_trained():
    limit = LengthLimit(3, "truncate")
    short = Encoded([1, 2, 9], [(2, False), (1, True)])
    assert [*limit.fitting({"chosen": short, "rejected": ROW})] == [
        {"chosen": short, "rejected": Encoded([1, 2, 3], [(2, False), (1, True)])}
    ]
    late = Encoded([1, 2, 3, 4], [(3, False), (1, True)])
    assert [*limit.fitting({"chosen": short, "rejected": late})] == []


def test_a_row_is_left_out_where_cutting_leaves_nothing_trained():
    assert kept(ROW, 2, "truncate") == []


def test_a_row_with_nothing_trained_is_bad_whatever_its_length():
    with pytest.raises(BadValue, match="no token of it is trained"):
        kept(Encoded([1, 2], [(1, True), (1, False)]), 9, "error")


BAD = [
    {"instruction": "a", "output": "b"},
    {"instruction": "a", "output": 3},
    {"instruction": "c", "output": "d"},
    {"instruction": "", "output": "d"},
]


def test_bad_rows_are_dropped_counted_and_written_with_their_reasons(small_run, data_file, caplog):
    data_file.write_text("".join(json.dumps(row) + "\n" for row in BAD))
    entry = {"path": str(data_file), "bad_rows": "drop"}
    folder = train(small_run(data=[entry], training={"max_steps": 1}))
    data = json.loads(folder.manifest.read_text())["data"]
    assert (data["read"], data["rows"], data["bad"]) == (4, 2, 2)
    rejected = [json.loads(line) for line in folder.rejected.read_text().splitlines()]
    assert [one["row"] for one in rejected] == [2, 4]
    assert "3, no text" in rejected[0]["problem"]
    assert rejected[0]["dataset"] == str(data_file)
    assert "2 rows were left out" in caplog.text


def test_of_a_folder_the_file_of_a_bad_row_is_written(small_run, tmp_path):
    folder = tmp_path / "several"
    folder.mkdir()
    for name, row in (("a", BAD[0]), ("b", BAD[2]), ("c", BAD[1])):
        lines = [json.dumps(BAD[0]), json.dumps(row)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    entry = {"path": str(folder), "bad_rows": "drop", "format": "alpaca"}
    run = train(small_run(data=[entry], training={"max_steps": 1}))
    (told,) = [json.loads(line) for line in run.rejected.read_text().splitlines()]
    assert (told["file"], told["row"]) == (str(folder / "c.jsonl"), 2)


def test_a_run_whose_rows_are_all_bad_is_refused(small_run, data_file):
    data_file.write_text(json.dumps(BAD[1]) + "\n")
    entry = {"path": str(data_file), "bad_rows": "drop", "format": "alpaca"}
    with pytest.raises(BadData, match="all were dropped as bad"):
        train(small_run(data=[entry]))
