"""`luthier data check`, as a user meets it."""

import json

import pytest
import typer
from typer.testing import CliRunner

from luthier.plugins.commands.data_check import check


@pytest.fixture
def checked(small_run, tmp_path):
    """Check rows of question and answer; give the exit code and what was printed."""
    app = typer.Typer()
    app.command()(check)

    def run(rows, *words):
        told = ({"instruction": ask, "output": answer} for ask, answer in rows)
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
        file = tmp_path / "run.yaml"
        file.write_text(json.dumps(small_run()))
        found = CliRunner().invoke(app, [str(file), *words])
        return found.exit_code, found.output

    return run


def test_the_exit_code_is_the_gravest_severity(checked):
    assert checked([("a", "b")])[0] == 0
    assert checked([("a", "b"), ("a", "b")])[0] == 1
    assert checked([("a", "b"), ("a", "b"), ("c", "")])[0] == 2


def test_a_fault_is_told_with_count_places_and_remedy(checked):
    _, told = checked([("a", "b"), ("a", "b"), ("c", "")])
    assert "error      bad-row: 1 of 3 rows" in told
    assert "rows.jsonl, row 3: the field 'output' is empty" in told
    assert "Fill it in, leave the row out" in told
    assert told.index("bad-row") < told.index("duplicate: 1 of 3 rows")
    assert "8 to 15  ████" in told or "16 to 31  ████" in told


def test_data_without_faults_is_said_to_be_so(checked):
    assert "Nothing odd was found." in checked([("Who is that?", "It is I.")])[1]


def test_all_of_it_is_printed_as_json(checked):
    _, told = checked([("a", "b"), ("a", "b")], "--json")
    assert json.loads(told)["remarks"][0]["lint"] == "duplicate"


def test_what_is_written_and_left_out_is_said(checked, tmp_path):
    out = tmp_path / "clean.jsonl"
    _, told = checked([("a", "b"), ("a", "b"), ("c", "")], "--fix", str(out))
    assert f"rows.jsonl to {out}" in told
    assert "left out   1 unusable rows, 1 repeated" in told
    assert len(out.read_text().splitlines()) == 1
