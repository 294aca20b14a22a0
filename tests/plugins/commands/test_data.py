"""`luthier data`, as a user meets it."""

import json

import pytest

from luthier.core.cli.application import main


@pytest.fixture
def luthier(monkeypatch, capsys):
    """Run the command line; give its exit code and what it printed."""

    def run(*words):
        monkeypatch.setattr("sys.argv", ["luthier", "data", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, capsys.readouterr()

    return run


def test_the_shipped_sets_are_listed_as_a_table(luthier):
    code, printed = luthier("list")
    assert code == 0
    lines = printed.out.splitlines()
    assert lines[0].split() == ["name", "from", "format", "licence"]
    assert ["slimorca", "hf:Open-Orca/SlimOrca", "sharegpt", "mit"] in map(str.split, lines)


def test_the_sets_of_a_file_are_listed_as_json(luthier, tmp_path):
    file = tmp_path / "dataset_info.json"
    entries = {
        "mine": {"file_name": "x.json", "columns": {"prompt": "text"}},
        "old": {"script_url": "old"},
        "seen": {"file_name": "y.json", "columns": {"images": "images"}},
    }
    file.write_text(json.dumps(entries))
    code, printed = luthier("list", file, "--json")
    assert code == 0
    mine, old, seen = json.loads(printed.out)
    assert mine["from"] == str(tmp_path / "x.json")
    assert mine["format"] == "text"
    assert mine["licence"] is None
    assert "none is run" in old["from"]
    assert seen["from"] == "(the rows hold images, and models are trained on text alone)"
    assert seen["format"] is None


def test_a_list_that_is_not_there_is_told(luthier, tmp_path):
    code, printed = luthier("list", tmp_path / "no.json")
    assert code == 2
    assert "there is no file" in printed.err
