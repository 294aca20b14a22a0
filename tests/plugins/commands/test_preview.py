"""`luthier preview`, as a user meets it."""

import json

import pytest

from luthier.core.cli.application import main


@pytest.fixture
def luthier(monkeypatch, capsys):
    """Run the command line; give its exit code and what it printed."""

    def run(*words):
        monkeypatch.setattr("sys.argv", ["luthier", "preview", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, capsys.readouterr()

    return run


@pytest.fixture
def run_file(small_run, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps(small_run()))
    return file


def test_rows_and_totals_are_printed(luthier, run_file):
    code, printed = luthier(run_file, "--rows", 1, "data.0.samples=4")
    assert code == 0
    assert "totals     4 of 4 rows," in printed.out
    assert "<|im_start|>user\nWhat is 1 plus 1?<|im_end|>\n" in printed.out
    assert "What is 2 plus 2?" not in printed.out


def test_ids_are_printed_when_asked_for(luthier, run_file):
    printed = luthier(run_file, "--ids")[1].out
    assert "<|im_start|>[1]" in printed
    assert "⏎[202]\n" in printed, "the id of a line end stands in its line"


def test_the_colours_are_those_of_template_render(run_file, monkeypatch):
    from luthier.core.data.preview import preview
    from luthier.plugins.commands.preview import _coloured

    shown = preview(run_file, ["encoding.max_length=30", "encoding.overflow=truncate"], rows=12)
    stretches = shown.datasets[0].rows[-1].sequences[0].stretches
    text = "".join(_coloured(stretches, "row {}", ids=False))
    assert "\x1b[35m\x1b[22m<|im_start|>\x1b[0m" in text
    assert "\x1b[32mIt\x1b[0m" in text
    assert "\x1b[31m\x1b[2m\x1b[9m<|im_end|>\x1b[0m" in text


def test_all_of_it_is_printed_as_json(luthier, run_file):
    code, printed = luthier(run_file, "--json")
    assert code == 0
    assert len(json.loads(printed.out)["datasets"][0]["rows"]) == 3


def test_a_page_is_written_where_it_is_told(luthier, run_file, tmp_path):
    page = tmp_path / "page.html"
    code, printed = luthier(run_file, "--html", page)
    assert code == 0
    assert str(page) in printed.out
    assert page.read_text().startswith("<!doctype html>")
    code, printed = luthier(run_file, "--html", tmp_path / "no" / "page.html")
    assert code == 2
    assert "cannot be written" in printed.err


def test_a_bad_row_is_named_with_its_remedy(luthier, run_file, data_file):
    data_file.write_text(json.dumps({"instruction": "a", "output": ""}) + "\n")
    code, printed = luthier(run_file)
    assert code == 0
    assert "row 1      bad" in printed.out
    assert "Fill it in, leave the row out" in printed.out
    assert "training would stop" in printed.out
