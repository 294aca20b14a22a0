"""What a run file wants of evaluations, reports and skipped steps is judged before it is run."""

import importlib.util

import pytest

from luthier.core import check
from luthier.core.problems import BadRunFile


def problems_of(contents):
    with pytest.raises(BadRunFile) as refused:
        check(contents)
    return [(one.key, one.problem, one.remedy) for one in refused.value.problems]


def test_without_rows_to_evaluate_on_no_step_is_the_best(small_run):
    found = problems_of(small_run(evaluation={"best": "loss", "patience": 2}))
    assert [key for key, _, _ in found] == ["evaluation.best", "evaluation.patience"]
    assert found[0][1].startswith("nothing is evaluated")


@pytest.mark.parametrize(
    ("evaluation", "key", "remedy"),
    [
        ({"best": "accuracy"}, "best", "Write `evaluation.best: mine.accuracy`."),
        ({"patience": 3}, "patience", "Write `evaluation.best: mine.loss`."),
    ],
)
def test_of_several_sets_the_one_that_counts_has_to_be_named(
    small_run, data_file, evaluation, key, remedy
):
    sets = {"mine": str(data_file), "other": str(data_file)}
    ((found, _, told),) = problems_of(small_run(validation=sets, evaluation=evaluation))
    assert (found, told) == (f"evaluation.{key}", remedy)
    check(small_run(validation=sets, evaluation={"best": "other.loss", "patience": 1}))


def test_a_tracker_that_is_not_installed_is_told_with_what_to_install(small_run, monkeypatch):
    original = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "wandb" else original(name)
    )
    contents = small_run()
    contents["training"]["report_to"] = ["wandb"]
    ((key, said, remedy),) = problems_of(contents)
    assert (key, said) == ("training.report_to.0", "wandb is not installed")
    assert remedy == "Install it: `pip install wandb`; or leave it out."


def test_a_tracker_that_there_is_not_is_answered_with_those_there_are(small_run):
    contents = small_run()
    contents["training"]["report_to"] = ["tensorbord"]
    ((_, _, remedy),) = problems_of(contents)
    assert "tensorboard" in remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "lomo", "tuner": "full"},
        {"stage": "grpo", "rewards": [{"name": "contains", "text": "Yes"}]},
    ],
)
def test_steps_are_not_skipped_where_weights_change_before_they_end(small_run, changes):
    found = problems_of(small_run(faults={"non_finite": "skip"}, **changes))
    assert "faults.non_finite" in [key for key, _, _ in found]
