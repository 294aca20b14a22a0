"""The committed results of `make sweep` are those of the code that they cover."""

import json

import pytest

from tests.sweep.__main__ import packages_of
from tests.sweep.records import REPOSITORY, RESULTS, SWEEPS, fingerprint


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


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_covers_its_own_tests_and_nothing_that_is_gone(name):
    sweep = SWEEPS[name]
    assert sweep.tests in sweep.covers
    assert all((REPOSITORY / path).exists() for path in sweep.covers)


@pytest.mark.parametrize("name", [name for name, sweep in SWEEPS.items() if sweep.published])
def test_what_users_are_told_of_a_sweep_is_its_last_result(name):
    result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    told = json.loads((REPOSITORY / SWEEPS[name].published).read_text(encoding="utf-8"))
    assert all(told[key] == result[key] for key in ("date", "python", "versions"))
    passed = [case for case, one in result["cases"].items() if one["outcome"] == "passed"]
    pairs = {pair for case in passed for pair in SWEEPS[name].pairs_of(case)}
    assert {"+".join(pair) for pair in told["pairs"]} == pairs


def test_the_versions_of_a_sweep_are_those_of_its_plugins_packages_too(monkeypatch):
    monkeypatch.setattr("tests.sweep.__main__.installed", lambda name: name != "optimum")
    pairs = ["quantizers/gptq+optimizers/schedule-free", "precisions/float32+tuners/lora"]
    assert packages_of(pairs) == ["gptqmodel", "schedulefree"]


def test_the_sweep_of_kills_covers_all_that_a_run_goes_through_but_what_it_reads():
    covers = SWEEPS["kills"].covers
    through = {"opening", "loading", "saving", "preparation", "execution", "program", "manifest"}
    found = {p.stem for path in covers for p in (REPOSITORY / path).rglob("*.py")}
    assert through | {"folder", "checkpoints", "trainer", "state", "sft", "lora"} <= found


def test_what_needs_packages_of_its_own_is_tested_in_full_where_they_are(repository):
    """What `make test` skips for want of a quantizer's package runs before the sweep of them."""
    recipe = (
        (repository / "Makefile").read_text().partition("\nquantizers:")[2].partition("\n\n")[0]
    )
    assert '-m pytest -m "not sweep" tests/plugins/quantizers' in recipe
    assert recipe.index("-m pytest") < recipe.index("-m tests.sweep quantizers")
