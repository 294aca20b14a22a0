"""What a run file may say of the rows that its model is evaluated on."""

import pytest

from luthier.core import check
from luthier.core.problems import BadRunFile


def validation_of(contents):
    return check(contents).validation


@pytest.mark.parametrize(
    ("value", "field", "expected"), [(0.05, "share", 0.05), (500, "count", 500)]
)
def test_a_number_is_what_is_held_out_of_the_training_rows(small_run, value, field, expected):
    found = validation_of(small_run(validation=value))
    assert getattr(found, field) == expected
    assert found.holds_out
    assert found.sets == {}


@pytest.mark.parametrize("short", [True, False])
def test_a_path_is_one_dataset_of_its_own(small_run, data_file, short):
    value = str(data_file) if short else {"path": str(data_file), "samples": 3}
    run = check(small_run(validation=value))
    (spec,) = run.validation.sets.values()
    assert spec.local_path == data_file
    assert spec.section.samples == (None if short else 3)
    assert run.datasets == (*run.data, spec)
    assert not run.validation.holds_out


def test_several_are_told_apart_by_their_names(small_run, data_file):
    several = {"mine": str(data_file), "other": {"path": str(data_file), "format": "alpaca"}}
    found = validation_of(small_run(validation=several))
    assert list(found.sets) == ["mine", "other"]
    assert found.sets["other"].format.name == "alpaca"


@pytest.mark.parametrize("value", [0, 0.0, 1.0, -3, 1.5, True, [], ["a.jsonl"], {}, {"mine": 3}])
def test_what_is_none_of_these_is_told_with_what_may_stand_there(small_run, value):
    with pytest.raises(BadRunFile) as found:
        check(small_run(validation=value))
    (problem,) = found.value.problems
    assert problem.key.startswith("validation")
    assert "validation: 0.05" in problem.remedy


def test_a_fault_of_a_set_is_told_at_its_place(small_run, data_file):
    sets = {"mine": {"path": "none.jsonl"}, "other": {"path": str(data_file), "weight": 2}}
    with pytest.raises(BadRunFile) as found:
        check(small_run(validation=sets))
    keys = {problem.key: problem for problem in found.value.problems}
    assert keys.keys() == {"validation.mine.path", "validation.other.weight"}
    assert "mixed" in keys["validation.other.weight"].problem


def test_a_share_of_a_stream_is_refused_and_a_number_is_not(small_run):
    stream = {"mix": {"streaming": True}}
    assert validation_of(small_run(validation=2, **stream)).count == 2
    with pytest.raises(BadRunFile, match="Give a number of rows"):
        check(small_run(validation=0.1, **stream))
