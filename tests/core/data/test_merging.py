"""The rows of a run together, and those of them that are held out for evaluation."""

import json
from itertools import islice

import numpy as np
import pytest

from luthier.core import BadData, check
from luthier.core.data.dataset import Validation
from luthier.core.data.merging import held_out
from luthier.core.data.preparation import prepare
from luthier.core.model.opening import locate, model_spec
from luthier.core.wiring import manager_of


def prepared(contents):
    run = check(contents)
    return prepare(run, locate(model_spec(run, training=True)), manager_of(run.selected))


def rows_of(data):
    return [tuple(row["input_ids"]) for row in data.dataset]


@pytest.mark.parametrize(("value", "count"), [(0.25, 3), (5, 5), (0.001, 1)])
def test_rows_that_are_held_out_are_not_trained_on(small_run, value, count):
    whole = prepared(small_run())
    found = prepared(small_run(validation=value))
    held = found.validation["validation"]
    assert held.rows == len(held.dataset) == count
    assert found.rows == 12 - count
    assert sorted(rows_of(found) + rows_of(held)) == sorted(rows_of(whole))
    for name in ("tokens", "trained_tokens"):
        parts = getattr(found.counts, name) + getattr(held.counts, name)
        assert parts == getattr(whole.counts, name)
    assert len({one.fingerprint for one in (whole, found, held)}) == 3


def test_the_same_seed_holds_out_the_same_rows_and_another_others(small_run):
    def held(seed):
        training = {"max_steps": 1, "seed": seed}
        found = prepared(small_run(validation=4, training=training))
        return rows_of(found.validation["validation"])

    assert held(1) == held(1) != held(2)


def test_a_row_that_is_repeated_in_training_is_still_not_evaluated_on(small_run, data_file):
    data = [{"path": str(data_file), "repeat": 2.5}]
    found = prepared(small_run(data=data, validation=4))
    held = rows_of(found.validation["validation"])
    assert found.rows == 20
    assert not {*held} & {*rows_of(found)}
    assert found.counts.tokens == sum(map(len, rows_of(found)))


def test_each_order_of_the_same_rows_has_a_fingerprint_of_its_own(small_run, data_file, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text(data_file.read_text().replace("plus", "and"))

    def fingerprint(weight, repeat):
        first = {"path": str(data_file), "weight": weight, "repeat": repeat}
        return prepared(small_run(data=[first, str(other)], mix={"strategy": "once"})).fingerprint

    assert fingerprint(2, 1) == fingerprint(2, 1)
    assert len({fingerprint(*one) for one in ((None, 1), (9, 1), (9, 2))}) == 3


def test_what_was_made_of_one_row_stays_together():
    datasets, rows = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 2, 0, 0])
    for seed in range(20):
        held = held_out(datasets, rows, Validation(count=2), seed)
        assert held[0] == held[1]
        assert held[4] == held[5]
        assert held[[0, 2, 3, 4]].sum() == 2


def test_it_is_refused_to_hold_out_all(small_run):
    with pytest.raises(BadData, match="12 rows are to be held out for validation, and there are"):
        prepared(small_run(validation=12))


def test_sets_of_their_own_leave_the_training_rows_alone(small_run, tmp_path):
    file = tmp_path / "other.jsonl"
    row = {"instruction": "Who?", "output": "I."}
    file.write_text((json.dumps(row) + "\n") * 2 + json.dumps({**row, "output": ""}) + "\n")
    sets = {"other": {"path": str(file), "bad_rows": "drop"}, "same": str(tmp_path / "rows.jsonl")}
    found, whole = prepared(small_run(validation=sets)), prepared(small_run())
    assert (found.rows, found.fingerprint) == (whole.rows, whole.fingerprint)
    assert {name: one.rows for name, one in found.validation.items()} == {"other": 2, "same": 12}
    assert found.validation["other"].counts.bad == 1
    assert list(found.facts()["validation"]) == ["other", "same"]


def test_of_a_stream_the_first_rows_are_held_out(small_run, data_file, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text(data_file.read_text().replace("plus", "and"))
    run = small_run(data=[str(data_file), str(other)], mix={"streaming": True}, validation=5)
    found = prepared(run)
    held = rows_of(found.validation["validation"])
    passed = [tuple(row["input_ids"]) for row in islice(found.dataset, 24 - 5)]
    whole = rows_of(prepared({**run, "mix": {}, "validation": None}))
    assert held == whole[:3] + whole[12:14]
    assert sorted(passed + held) == sorted(whole)
