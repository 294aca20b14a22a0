"""A bad run file is answered with place, problem and remedy, and nothing is written."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from luthier.core.cli import main

GOOD = "data: [rows.jsonl]\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
)


class Bad(NamedTuple):
    """A bad run file: its text, where the fault is, and what has to be said."""

    text: str | bytes
    place: str
    said: tuple[str, ...]
    overrides: tuple[str, ...] = ()


CASES = {
    "an unknown key at the top": Bad(
        GOOD + "trainning: {}\n", "run.yaml:2:1", ("trainning: unknown key", "'training'")),
    "an unknown key in a section": Bad(
        GOOD + "training:\n  lerning_rate: 1\n", "run.yaml:3:3",
        ("training.lerning_rate: unknown key", "'learning_rate'")),
    "an unknown option of a plugin": Bad(
        GOOD + "tuner: {name: lora, rnak: 4}\n", "run.yaml:2:21", ("tuner.rnak", "'rank'")),
    "an unknown key of a dataset": Bad(
        "data:\n  - {path: rows.jsonl, sampels: 3}\n", "run.yaml:2:24",
        ("data.0.sampels", "'samples'")),
    "a misspelt plugin": Bad(GOOD + "tuner: lorra\n", "run.yaml:2:8", ("'lorra'", "'lora'", "pip")),
    "a text where a number belongs": Bad(
        GOOD + "training: {epochs: many}\n", "run.yaml:2:20",
        ("training.epochs: expected a number, found the text 'many'", "Passes over the data")),
    "a number where a text belongs": Bad(
        GOOD + "model: {path: 7}\n", "run.yaml:2:15", ("model.path: expected a text", "found 7")),
    "true where a number belongs": Bad(
        GOOD + "training: {batch_size: true}\n", "run.yaml:2:24",
        ("expected a whole number, found true",)),
    "a fraction where a whole number belongs": Bad(
        GOOD + "training: {batch_size: 2.5}\n", "run.yaml:2:24", ("whole number, found 2.5",)),
    "a number in quotes": Bad(
        GOOD + 'training: {batch_size: "4"}\n', "run.yaml:2:24", ("found the text '4'",)),
    "a list where a mapping belongs": Bad(
        GOOD + "training: [1, 2]\n", "run.yaml:2:11", ("training: expected a mapping", "epochs")),
    "a mapping where a list belongs": Bad(
        GOOD + "patches: {name: sdpa}\n", "run.yaml:2:10", ("patches: expected a list", "NAME")),
    "a model that is nowhere": Bad(
        GOOD + "model: {path: no-such-model}\n", "run.yaml:2:15",
        ("no model at 'no-such-model'", "owner/name")),
    "a model folder that holds none": Bad(
        GOOD + "model: {path: empty-folder}\n", "run.yaml:2:15",
        ("no config.json", "save_pretrained")),
    "a model whose config is no JSON": Bad(
        GOOD + "model: {path: broken-model}\n", "run.yaml:2:15", ("config.json is no JSON",)),
    "a model that no family knows": Bad(
        GOOD + "model: {path: strange-model}\n", "run.yaml:2:15",
        ("StrangeForCausalLM", "family")),
    "a data file that is nowhere": Bad(
        "data:\n  - path: nowhere.jsonl\n", "run.yaml:2:11",
        ("data.0.path: there is no file", "nowhere.jsonl", "folder of the run file")),
    "an empty data file": Bad("data: [empty.jsonl]\n", "run.yaml:1:8", ("empty.jsonl is empty",)),
    "a data file of no known type": Bad(
        "data: [notes.docx]\n", "run.yaml:1:8", ("of no type that is known", ".parquet")),
    "no data at all": Bad("tuner: lora\n", "run.yaml:1:1", ("data: no dataset is named", "path")),
    "two errors at once": Bad(
        "data: [nowhere.jsonl]\ntuner: lorra\n", "run.yaml:2:8", ("nowhere.jsonl", "'lorra'")),
    "three errors at once": Bad(
        GOOD + "tuner: lorra\ntraining: {epochs: 0, sed: 1}\n", "run.yaml:3:20",
        ("'lorra'", "training.epochs: expected more than 0", "training.sed", "'seed'")),
    "a tab": Bad(GOOD + "model:\n\tpath: x\n", "run.yaml:3:1", ("no YAML", "spaces")),
    "a bracket that is not closed": Bad(
        "data: [rows.jsonl\ntuner: lora\n", "run.yaml:1:7",
        ("no YAML", "Close it with ']'")),
    "two colons in a line": Bad("model: path: tiny\n", "run.yaml:1:12", ("no YAML", "quotes")),
    "an empty file": Bad("", "run.yaml:1:1", ("data: no dataset is named",)),
    "a file that is a list": Bad("- a\n- b\n", "run.yaml:1:1", ("a mapping, found a list",)),
    "a file that is one word": Bad("train\n", "run.yaml:1:1", ("expected a mapping",)),
    "a file that is no text": Bad(b"\xff\xfe\x00\x80", "run.yaml", ("no UTF-8 text", "UTF-8")),
    "a name of another kind": Bad(
        GOOD + "tuner: sft\n", "run.yaml:2:8", ("'sft' is one of the stages", "full, lora")),
    "a number out of range": Bad(
        GOOD + "training: {warmup: 1.5}\n", "run.yaml:2:20", ("expected 1 or less, found 1.5",)),
    "a word that is not offered": Bad(
        GOOD + "training: {scheduler: cosin}\n", "run.yaml:2:23",
        ("training.scheduler: expected one of", "'cosine'")),
    "a key that stands twice": Bad(
        GOOD + "tuner: lora\ntuner: full\n", "run.yaml:3:1", ("twice", "line 2", "Keep one")),
    "a tag that builds an object": Bad(
        GOOD + "model: !!python/object/apply:os.system ['touch PWNED']\n", "run.yaml:2:8",
        ("!!python/object/apply", "not allowed")),
    "aliases without end": Bad(
        BOMB, "run.yaml:5:1", ("more than 100,000 values", "no such aliases")),
    "a parent that is nowhere": Bad(
        GOOD + "extends: base.yaml\n", "run.yaml:2:10",
        ("extends: there is no file base.yaml", "Look at the path")),
    "a file that extends itself": Bad(
        GOOD + "extends: run.yaml\n", "run.yaml:2:10",
        ("extends: this file extends itself", "another file")),
    "a plugin file that is nowhere": Bad(
        GOOD + "plugins: [mine.py]\n", "run.yaml:2:11", ("plugins.0: there is no file", "mine.py")),
    "a plugin file among the data": Bad(
        "data: [set]\nplugins: [set/evil.py]\n", "run.yaml:2:11",
        ("data is never run as code", "Move it")),
    "an override that is none": Bad(
        GOOD, "command line", ("'training.epochs' is no override", "key.path=value"),
        ("training.epochs",)),
    "an override of what has no keys": Bad(
        GOOD + "training: {epochs: 3}\n", "command line",
        ("'training.epochs' is 3, and has no keys", "Set it as a whole"),
        ("training.epochs.deep=1",)),
    "a wrong value on the command line": Bad(
        GOOD, "command line", ("training.epochs: expected a number",), ("training.epochs=many",)),
    "an output that is a file": Bad(
        GOOD + "output: rows.jsonl\n", "run.yaml:2:9", ("is a file", "another folder")),
    "a plugin without a name": Bad(
        GOOD + "tuner: {rank: 8}\n", "run.yaml:2:8", ("tuner: ", "`name` is missing", "lora")),
    "two plugins that refuse each other": Bad(
        GOOD + "patches: [eager, sdpa]\n", "run.yaml:2:11",
        ("patches/eager cannot go with patches/sdpa", "Leave one of them out")),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with good data, and with things that are no data and no models."""
    row = {"instruction": "a", "input": "", "output": "b"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "notes.docx").write_text("x")
    for name in ("empty-folder", "broken-model", "strange-model", "set"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken-model" / "config.json").write_text("{")
    (tmp_path / "strange-model" / "config.json").write_text(
        '{"architectures": ["StrangeForCausalLM"]}'
    )
    (tmp_path / "set" / "rows.jsonl").write_text(json.dumps(row))
    (tmp_path / "set" / "evil.py").write_text("open('PWNED', 'w')")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def answer_to(words, monkeypatch, capsys):
    """Run the command line in this process; return its exit code and what it printed."""
    monkeypatch.setattr(sys, "argv", ["luthier", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code, capsys.readouterr()


def assert_good_answer(code, out, err, place, said):
    assert code == 2
    assert out == ""
    assert place in err
    for phrase in said:
        assert phrase in err
    assert len(err.splitlines()) < 12
    assert "Traceback" not in err
    assert "pydantic" not in err
    # each problem is a line that begins with its place, its remedy the line beneath
    lines = err.removeprefix("error: ").splitlines()
    if lines[0].endswith(" problems"):
        del lines[0]
    assert len(lines) % 2 == 0
    assert all(line.startswith("    ") for line in lines[1::2]), err


@pytest.mark.parametrize("name", CASES)
def test_a_bad_run_file_is_answered_with_place_problem_and_remedy(
    folder, monkeypatch, capsys, name
):
    bad = CASES[name]
    file = folder / "run.yaml"
    file.write_bytes(bad.text if isinstance(bad.text, bytes) else bad.text.encode())
    before = contents(folder)
    command = ["train", "check"][list(CASES).index(name) % 2]
    code, printed = answer_to([command, "run.yaml", *bad.overrides], monkeypatch, capsys)
    assert_good_answer(code, printed.out, printed.err, bad.place, bad.said)
    assert contents(folder) == before
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("path", "said"), [("nowhere.yaml", "no such file"), ("set", "this is a folder")]
)
def test_a_run_file_that_is_none_is_answered_alike(folder, monkeypatch, capsys, path, said):
    code, printed = answer_to(["check", path], monkeypatch, capsys)
    assert_good_answer(code, printed.out, printed.err, path, (said,))


@pytest.mark.parametrize("name", ["run.yaml", "rows.jsonl"])
def test_a_file_that_may_not_be_read_is_answered_alike(folder, monkeypatch, capsys, name):
    (folder / "run.yaml").write_text(GOOD)
    original = Path.open

    def refusing(self, *arguments, **keywords):
        if self.name == name:
            raise PermissionError(13, "Permission denied", str(self))
        return original(self, *arguments, **keywords)

    # the tests may run as root, whom no file refuses
    monkeypatch.setattr(Path, "open", refusing)
    code, printed = answer_to(["check", "run.yaml"], monkeypatch, capsys)
    assert_good_answer(code, printed.out, printed.err, "run.yaml", ("read", "chmod"))


def test_the_process_itself_leaves_with_two_and_prints_to_stderr(folder):
    (folder / "run.yaml").write_text(GOOD + "tuner: lorra\n")
    command = [sys.executable, "-m", "luthier.core", "train", "run.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert_good_answer(done.returncode, done.stdout, done.stderr, "run.yaml:2:8", ("'lora'",))


def test_a_good_file_is_told_to_be_good(folder, monkeypatch, capsys):
    (folder / "run.yaml").write_text(GOOD)
    monkeypatch.setattr(sys, "argv", ["luthier", "check", "run.yaml"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code in {0, None}
    assert capsys.readouterr().out == "run.yaml can be run on cpu.\n"
