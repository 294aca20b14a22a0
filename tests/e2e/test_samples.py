"""Each format and each source with the shipped sample files, from a folder of one's own."""

import json
import shutil

import pytest

from luthier.core.cli.application import main

FORMATS = {
    "text": "A luthier makes stringed instruments",
    "alpaca": "Name the wood.",
    "sharegpt": "What is a capo?",
    "openai": "What does a luthier do?",
    "preference": "it is a preference, and this stage learns from answers",
    "kto": "it is a judged answer, and this stage learns from answers",
    "pretokenized": "5 tokens, 3 trained",
}
"""What a preview of each format shows."""
UNTRAINED = {"preference", "kto"}
"""The formats that the stage `sft` does not learn from."""
STAGES = {"text": "pt"}

FILES = ("json", "jsonl", "csv", "tsv", "parquet", "arrow", "jsonl.gz", "csv.zst")
SOURCES = {
    **{f"a file .{ending}": {"path": f"samples/sources/rows.{ending}"} for ending in FILES},
    "a saved folder": {"path": "saved:samples/sources/saved"},
    "a name of a list": {
        "path": "info:woods",
        "source": {"name": "info", "file": "samples/sources/dataset_info.json"},
    },
    "a folder of the Hub's form": {
        "path": "hf:samples/sources",
        "source": {"name": "hf", "data_files": "rows.jsonl"},
    },
    "a URL": {"path": "file://{here}/samples/sources/rows.jsonl"},
}


@pytest.fixture
def desk(tmp_path, repository, monkeypatch):
    """A folder of one's own, with a copy of the sample files."""
    shutil.copytree(repository / "examples" / "data", tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def luthier(desk, monkeypatch, capsys):
    """Run a command on a run file of one dataset; give its exit code and what it printed."""

    def run(command, dataset, **more):
        dataset = {k: v.format(here=desk) if k == "path" else v for k, v in dataset.items()}
        settings = {"training": {"max_steps": 1}, "output": "runs/one", **more}
        contents = {"model": "tiny", "tuner": "full", "data": [dataset], **settings}
        (desk / "run.json").write_text(json.dumps(contents))
        monkeypatch.setattr("sys.argv", ["luthier", command, "run.json"])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, capsys.readouterr()

    return run


def sample(name, **more):
    return {"path": f"samples/formats-{name}.jsonl", "format": name, **more}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_previewed_by_its_name_and_as_it_is_guessed(luthier, name):
    stage = STAGES.get(name, "sft")
    code, printed = luthier("preview", sample(name), stage=stage)
    assert (code, printed.err) == (0, "")
    assert FORMATS[name] in printed.out
    assert ("totals     8 of 8 rows" in printed.out) == (name not in UNTRAINED)
    _, guessed = luthier("preview", sample(name, format="auto"), stage=stage)
    first, note, last = guessed.out.partition(f"           format: {name} (")
    assert note
    assert first + last.partition("\n")[2] == printed.out


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_trained_on_or_refused_with_the_reason(luthier, desk, name):
    code, printed = luthier("train", sample(name), stage=STAGES.get(name, "sft"))
    if name in UNTRAINED:
        assert code == 2
        assert f"formats-{name}.jsonl, row 1: {FORMATS[name]}" in printed.err
        assert "`luthier plugins stages`" in printed.err
        assert not (desk / "runs/one").exists()
        return
    assert code in {0, None}
    assert "step       1/1  loss" in printed.out
    assert (desk / "runs/one/model/model.safetensors").is_file()


def test_all_sample_files_of_one_name_hold_the_same_rows(desk):
    from luthier.core import check
    from luthier.core.data.dataset import standardized

    found = [
        list(standardized(check({"data": [{"format": "alpaca", **one}]}).data[0]))
        for one in ({**one, "path": one["path"].format(here=desk)} for one in SOURCES.values())
    ]
    assert len(found[0]) == 6
    assert all(rows == found[0] for rows in found)


@pytest.mark.parametrize("name", SOURCES)
def test_rows_of_each_source_are_previewed(luthier, name):
    code, printed = luthier("preview", {"format": "alpaca", **SOURCES[name]})
    assert (code, printed.err) == (0, "")
    assert "totals     6 of 6 rows" in printed.out
    assert "<|im_start|>assistant\n⟦Spruce.<|im_end|>⟧" in printed.out


def test_lines_of_a_text_are_trained_on(luthier):
    dataset = {"path": "samples/sources/rows.txt", "format": "text"}
    assert "totals     4 of 4 rows" in luthier("preview", dataset, stage="pt")[1].out
    assert "step       1/1  loss" in luthier("train", dataset, stage="pt")[1].out


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("hf:nobody/nothing", "the Hub's dataset nobody/nothing cannot be loaded"),
        ("modelscope:nobody/nothing", "modelscope"),
        ("https://127.0.0.1:1/rows.jsonl", "https://127.0.0.1:1/rows.jsonl cannot be read"),
    ],
)
def test_a_source_that_cannot_be_reached_is_refused_by_its_name(luthier, path, said):
    code, printed = luthier("preview", {"path": path, "format": "alpaca"})
    assert code == 2
    assert said in printed.err
