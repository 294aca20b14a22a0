"""All that is wrong is told at once: one bad value hides no other fault."""

import pytest

from luthier.core import check
from luthier.core.problems import BadRunFile


def keys_of(run):
    with pytest.raises(BadRunFile) as fault:
        check(run)
    return {problem.key for problem in fault.value.problems}


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        ({"path": "nope", "dtype": "float8"}, {"path", "dtype"}),
        ({"path": "nope", "family": "lama"}, {"path", "family"}),
        ({"path": "tiny", "family": "lama"}, {"family"}),
        ({"path": 7, "family": "lama"}, {"path", "family"}),
        ({"path": "", "family": "lama"}, {"path", "family"}),
        ({"path": "tiny", "family": 7}, {"family"}),
        ({"path": "tiny", "family": {"template": "chatml"}}, {"family"}),
        ({"path": "tiny", "adapters": [7, "x"]}, {"adapters.0", "adapters.1"}),
    ],
)
def test_a_wrong_setting_of_the_model_hides_neither_its_path_nor_its_family(small_run, model, keys):
    assert keys_of(small_run(model=model, tuner="lora")) == {f"model.{key}" for key in keys}


def test_a_wrong_setting_of_a_dataset_hides_neither_its_file_nor_its_split(small_run):
    data = [{"path": "missing.jsonl", "samples": 0, "split": "test", "sbset": "x"}]
    expected = {f"data.0.{key}" for key in ("path", "samples", "split", "sbset")}
    assert keys_of(small_run(data=data)) == expected


def test_a_wrong_format_does_not_hide_that_the_file_is_missing(small_run):
    data = [{"path": "missing.jsonl", "format": "alpacca"}]
    assert keys_of(small_run(data=data)) == {"data.0.path", "data.0.format"}
