"""The shards of a dataset: the same, however many processes make them."""

import json

import pytest

from luthier.core import BadData, check
from luthier.core.data import processes, production
from luthier.core.data.columns import Columns, joined
from luthier.core.data.preparation import prepare
from luthier.core.model.opening import locate, model_spec
from luthier.core.templates import Encoded
from luthier.core.wiring import manager_of

ROWS = [
    {
        "instruction": f"Say {n}." if n < 90 or n % 17 else "",
        "output": f"It is {n}. " * (n % 23 + 1),
    }
    for n in range(200)
]


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """What prepares those rows by a number of processes, in shards of 60 and batches of 7."""
    from luthier.plugins.families.tiny.making import tiny_model

    model = tiny_model()
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    monkeypatch.setattr(production, "ROWS", 60)
    monkeypatch.setattr(production, "BATCH", 7)

    def prepared(count, bad_rows="drop"):
        cache = tmp_path / f"cache{count}"
        monkeypatch.setenv("LUTHIER_CACHE", str(cache))
        monkeypatch.setattr(processes, "wanted", lambda: count)
        run = check({
            "model": {"path": str(model)}, "template": "chatml",
            "encoding": {"max_length": 100, "overflow": "drop"},
            "data": [{"path": str(file), "format": "alpaca", "bad_rows": bad_rows}],
        })  # fmt: skip
        located = locate(model_spec(run, training=True))
        found = prepare(run, located, manager_of(run.selected))
        shards = sorted(file for file in cache.glob("data/**/*") if file.is_file())
        return found, [file.read_bytes() for file in shards if file.suffix != ".lock"]

    return prepared


def test_one_process_and_several_make_the_same_shards(prepared):
    (one, expected), (two, found) = prepared(1), prepared(2)
    assert len(expected) == 2 * 4  # rows and facts of three full shards and of one that is not
    assert found == expected
    assert (two.fingerprint, two.rejected) == (one.fingerprint, one.rejected)
    assert 0 < one.counts.bad < one.counts.too_long


def test_long_rows_end_a_shard_before_it_has_its_number_of_rows(prepared, monkeypatch):
    whole, _ = prepared(1)
    monkeypatch.setattr(production, "CHARACTERS", 3000)
    monkeypatch.setattr(production, "BATCH_CHARACTERS", 500)
    (one, expected), (two, found) = prepared(3), prepared(2)
    assert len(expected) > 2 * 6
    assert found == expected
    assert vars(one.counts) == vars(two.counts) == vars(whole.counts)


def test_a_bad_row_is_named_alike_however_many_processes_there_are(prepared):
    faults = []
    for count in (1, 2):
        with pytest.raises(BadData) as fault:
            prepared(count, "error")
        faults.append(str(fault.value))
    assert faults[0] == faults[1]
    assert "rows.jsonl, row 103" in faults[0]


def test_rows_of_other_sequences_join_with_the_missing_ones_empty():
    one = Columns.of([0], [{"good": Encoded([1, 2], [(1, False), (1, True)])}])
    two = Columns.of([4], [{"bad": Encoded([3], [(1, True)])}])
    table = joined([one, two]).table()
    assert table.to_pydict() == {
        "good_input_ids": [[1, 2], []], "good_labels": [[-100, 2], []],
        "bad_input_ids": [[], [3]], "bad_labels": [[], [3]],
        "row": [0, 4],
    }  # fmt: skip
    assert one.token_counts() == (2, 1)
    assert two.token_counts() == (1, 0)
