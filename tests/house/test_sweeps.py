"""The committed results of `make sweep` are those of the code that they cover."""

import json

import pytest

from tests.sweep.records import RESULTS, SWEEPS, fingerprint


@pytest.mark.parametrize("name", SWEEPS)
def test_a_result_is_no_older_than_the_code_that_it_covers(name):
    file = RESULTS / f"{name}.json"
    assert file.exists(), "run `make sweep` and commit what it writes"
    result = json.loads(file.read_text(encoding="utf-8"))
    assert result["failed"] == 0
    assert result["passed"] > 0
    assert result.keys() >= {"date", "commit", "versions"}
    stale = "the code has changed since: run `make sweep` and commit what it writes"
    assert result["fingerprint"] == fingerprint(SWEEPS[name]), stale
