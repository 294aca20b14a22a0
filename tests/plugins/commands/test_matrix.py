"""`luthier matrix`: the table, a pair, and the record of the pairs that were run."""

import json

import pytest

from luthier.core.cli.application import main
from luthier.core.device import KNOWN
from luthier.core.matrix import Matrix
from luthier.plugins.commands.matrix import records_of_runs
from luthier.registry import Catalogue


@pytest.fixture
def said(monkeypatch, capsys):
    """Run the command; give its exit code and what it printed."""

    def run(*words):
        monkeypatch.setattr("sys.argv", ["luthier", "matrix", *words])
        with pytest.raises(SystemExit) as left:
            main()
        printed = capsys.readouterr()
        return left.value.code or 0, printed.out + printed.err

    return run


def test_two_names_are_told_of_with_the_reason_and_the_way_out(said):
    code, text = said("galore", "lora", "--device", "h100")
    assert code == 0
    assert text.startswith("optimizers/galore with tuners/lora: refused\n")
    assert "Choose `tuner: full`" in text


def test_the_table_has_a_mark_for_each_pair_with_a_tuner(said):
    _, text = said("--device", "h100")
    row = next(line for line in text.splitlines() if line.startswith("  lora-plus"))
    assert row.split()[1:].count("-") == 10
    assert "optimizers lora-plus\n    not with tuners adalora, bitfit, boft, freeze," in text


def test_every_pair_is_told_as_json_with_the_record_of_those_that_were_run(said):
    _, text = said("--json", "--device", "h100")
    told = json.loads(text)
    assert told["device"] == "NVIDIA H100"
    assert len(told["pairs"]) == len(list(Matrix(Catalogue.installed(), KNOWN["h100"]).verdicts()))
    assert all({"date", "versions"} <= record.keys() for record in told["tested"])
    states = {frozenset((one["first"], one["second"])): one["state"] for one in told["pairs"]}
    assert states[frozenset(("quantizers/gptq", "tuners/lora"))] == "tested"


def test_a_pair_that_was_run_is_told_with_the_day_and_the_versions(said):
    _, text = said("gptq", "lora")
    assert "quantizers/gptq with tuners/lora: tested\n  Run on 20" in text
    assert ", gptqmodel " in text


def test_what_is_recorded_as_run_is_there_and_allowed():
    verdicts = Matrix(Catalogue.installed(), KNOWN["cpu"]).verdicts()
    states = {frozenset((one.first, one.second)): one.state for one in verdicts}
    recorded = [frozenset(pair) for record in records_of_runs() for pair in record["pairs"]]
    assert all(states[pair] == "allowed" for pair in recorded)
    assert len(recorded) > 500


def test_a_name_that_is_none_is_told_with_the_nearest(said):
    code, text = said("galor", "lora")
    assert code != 0
    assert "Did you mean 'galore'?" in text
