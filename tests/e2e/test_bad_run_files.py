"""A bad run file is answered with place, problem and remedy, and nothing is written."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from luthier.core.cli.application import main

GOOD = "data: [rows.jsonl]\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
)


class Told(NamedTuple):
    """A problem that has to be told, in whole or by the words that matter."""

    place: str
    """Exactly: `file:line:column`, or `command line`."""
    key: str
    """Exactly; empty where the file as a whole is at fault."""
    problem: str
    """A part of it."""
    remedy: str
    """A part of it."""


class Bad(NamedTuple):
    """A bad run file: its text, every problem in the order they are told, and the overrides."""

    text: str | bytes
    told: tuple[Told, ...]
    overrides: tuple[str, ...] = ()


def bad(text, *told, overrides=()):
    """Return a case; `told` are the four parts of each problem, one after the other."""
    parts = [told[n : n + 4] for n in range(0, len(told), 4)]
    return Bad(text, tuple(Told(*four) for four in parts), overrides)


CL = "command line"
MISSPELT = ("tuner", "there is no 'lorra' among the tuners", "Did you mean 'lora'?")
NOWHERE = ("data.0.path", "there is no file", "found from the folder of the run file")

CASES = {
    "an unknown key at the top": bad(
        GOOD + "trainning: {}\n",
        "run.yaml:2:1", "trainning", "unknown key", "Did you mean 'training'?"),
    "an unknown key in a section": bad(
        GOOD + "training:\n  lerning_rate: 1\n",
        "run.yaml:3:3", "training.lerning_rate", "unknown key", "Did you mean 'learning_rate'?"),
    "an unknown option of a plugin": bad(
        GOOD + "tuner: {name: lora, rnak: 4}\n",
        "run.yaml:2:21", "tuner.rnak", "unknown key",
        "Did you mean 'rank'? Known keys: targets, layers"),
    "an unknown key of a dataset": bad(
        "data:\n  - {path: rows.jsonl, sampels: 3}\n",
        "run.yaml:2:24", "data.0.sampels", "unknown key", "Did you mean 'samples'?"),
    "an unknown option of a plugin without options": bad(
        GOOD + "tuner: {name: full, rank: 4}\n",
        "run.yaml:2:21", "tuner.rank", "unknown key", "Known keys: none."),
    "a misspelt plugin": bad(
        GOOD + "tuner: lorra\n",
        "run.yaml:2:8", *MISSPELT),
    "a misspelt plugin in a list": bad(
        GOOD + "patches: [sdppa]\n",
        "run.yaml:2:11", "patches.0", "no 'sdppa' among the patches", "Did you mean 'sdpa'?"),
    "a misspelt plugin of a dataset": bad(
        "data: [{path: rows.jsonl, format: alpacca}]\n",
        "run.yaml:1:35", "data.0.format", "no 'alpacca' among the formats",
        "Did you mean 'alpaca'?"),
    "a text where a number belongs": bad(
        GOOD + "training: {epochs: many}\n",
        "run.yaml:2:20", "training.epochs", "expected a number, found the text 'many'",
        "for the default, 3.0. Passes over the data."),
    "a text where an option is a number": bad(
        GOOD + "tuner: {name: lora, rank: eight}\n",
        "run.yaml:2:27", "tuner.rank", "expected a whole number, found the text 'eight'",
        "Write a whole number."),
    "a number where a text belongs": bad(
        GOOD + "model: {path: 7}\n",
        "run.yaml:2:15", "model.path", "expected a text, found 7", "Put it in quotes."),
    "a number where a plugin belongs": bad(
        GOOD + "tuner: 7\n",
        "run.yaml:2:8", "tuner", "expected the name of one of the tuners, found 7",
        "Installed: adalora, bitfit"),
    "true where a number belongs": bad(
        GOOD + "training: {batch_size: true}\n",
        "run.yaml:2:24", "training.batch_size", "expected a whole number, found true",
        "Write a whole number."),
    "true where a path belongs": bad(
        GOOD + "output: true\n",
        "run.yaml:2:9", "output", "expected a path, found true", "such as `runs/mine`"),
    "a fraction where a whole number belongs": bad(
        GOOD + "training: {batch_size: 2.5}\n",
        "run.yaml:2:24", "training.batch_size", "expected a whole number, found 2.5",
        "for the default, 4."),
    "a number in quotes": bad(
        GOOD + 'training: {batch_size: "4"}\n',
        "run.yaml:2:24", "training.batch_size", "found the text '4'", "Take the quotes away."),
    "a list where a mapping belongs": bad(
        GOOD + "training: [1, 2]\n",
        "run.yaml:2:11", "training", "expected a mapping, found a list",
        "Write its keys beneath it: epochs,"),
    "a list where a number belongs": bad(
        GOOD + "training: {learning_rate: [1, 2]}\n",
        "run.yaml:2:27", "training.learning_rate", "expected a number, found a list",
        "Write a number."),
    "a mapping where a list belongs": bad(
        GOOD + "patches: {name: sdpa}\n",
        "run.yaml:2:10", "patches", "expected a list, found a mapping", "Write `patches: [NAME,"),
    "a text where a list belongs": bad(
        GOOD + "patches: sdpa\n",
        "run.yaml:2:10", "patches", "expected a list, found the text 'sdpa'",
        "Write it in brackets: `patches: [sdpa]`."),
    "a number where the data belongs": bad(
        "data: 7\n",
        "run.yaml:1:7", "data", "or a list of them, found 7",
        "Write `data: [{path: FILE, format: NAME}]`"),
    "a model that is nowhere": bad(
        GOOD + "model: {path: no-such-model}\n",
        "run.yaml:2:15", "model.path", "there is no model at 'no-such-model'",
        "found from the folder of the run file"),
    "a model without a path": bad(
        GOOD + "model: {path: ''}\n",
        "run.yaml:2:15", "model.path", "the path is empty",
        "or leave it out for the default"),
    "a model folder that holds none": bad(
        GOOD + "model: {path: empty-folder}\n",
        "run.yaml:2:15", "model.path", "holds no config.json", "`save_pretrained` wrote"),
    "a model whose config is no JSON": bad(
        GOOD + "model: {path: broken-model}\n",
        "run.yaml:2:15", "model.path", "config.json is no JSON", "Repair the file"),
    "a model whose config is a list": bad(
        GOOD + "model: {path: list-model}\n",
        "run.yaml:2:15", "model.path", "config.json holds no mapping", "Repair the file"),
    "a model that no family knows": bad(
        GOOD + "model: {path: strange-model}\n",
        "run.yaml:2:15", "model.family", "StrangeForCausalLM, which no installed family has",
        "luthier plugins families"),
    "a data file that is nowhere": bad(
        "data:\n  - path: nowhere.jsonl\n",
        "run.yaml:2:11", *NOWHERE),
    "an empty data file": bad(
        "data: [empty.jsonl]\n",
        "run.yaml:1:8", "data.0.path", "empty.jsonl is empty", "Fill it"),
    "a data file of no known type": bad(
        "data: [notes.docx]\n",
        "run.yaml:1:8", "data.0.path", "of no type that is known", ".jsonl, .csv, .tsv, .parquet"),
    "no data at all": bad(
        "tuner: lora\n",
        "run.yaml:1:1", "data", "no dataset is named", "Write `data: ["),
    "two errors at once": bad(
        "data: [nowhere.jsonl]\ntuner: lorra\n",
        "run.yaml:1:8", *NOWHERE, "run.yaml:2:8", *MISSPELT),
    "three errors at once": bad(
        GOOD + "tuner: lorra\ntraining: {epochs: 0, sed: 1}\n",
        "run.yaml:2:8", *MISSPELT, "run.yaml:3:20", "training.epochs",
        "expected more than 0, found 0", "Write more than 0.", "run.yaml:3:23", "training.sed",
        "unknown key", "Did you mean 'seed'?"),
    "a tab": bad(
        GOOD + "model:\n\tpath: x\n",
        "run.yaml:3:1", "", "this is no YAML: a tab stands here", "Indent with spaces"),
    "a bracket that is not closed": bad(
        "data: [rows.jsonl\ntuner: lora\n",
        "run.yaml:1:7", "", "this is no YAML: the list that begins at line 1, column 7",
        "Close it with ']'"),
    "quotes that are not closed": bad(
        GOOD + "output: 'mine\n",
        "run.yaml:2:9", "", "this is no YAML: the quotes that open here", "Close them."),
    "two colons in a line": bad(
        "a: b: c\n",
        "run.yaml:1:5", "", "this is no YAML: no ': ' may stand here", "wants quotes"),
    "an alias of nothing": bad(
        GOOD + "output: *mine\n",
        "run.yaml:2:9", "", "no such anchor", "in quotes"),
    "two documents in a file": bad(
        GOOD + "---\ntuner: lora\n",
        "run.yaml:2:1", "", "a second document begins here", "Keep one of them"),
    "an empty file": bad(
        "",
        "run.yaml:1:1", "data", "no dataset is named", "Write `data: ["),
    "a file that is a list": bad(
        "- a\n- b\n",
        "run.yaml:1:1", "", "expected a mapping, found a list", "`luthier init` writes a file"),
    "a file that is one word": bad(
        "train\n",
        "run.yaml:1:1", "", "expected a mapping, found the text 'train'", "Begin with a section"),
    "a file that is no text": bad(
        b"\xff\xfe\x00\x80",
        "run.yaml:1:1", "", "no UTF-8 text: a byte 0xff", "Save the file as UTF-8"),
    "a file that is no text in its second line": bad(
        b"data: x\nm: \xe9\n",
        "run.yaml:2:4", "", "no UTF-8 text: a byte 0xe9", "Save the file as UTF-8"),
    "a name of another kind": bad(
        GOOD + "tuner: sft\n",
        "run.yaml:2:8", "tuner", "'sft' is one of the stages",
        "Write `stage: sft`, if that is meant. Did you mean 'oft'? Installed tuners"),
    "a number out of range": bad(
        GOOD + "training: {warmup: 1.5}\n",
        "run.yaml:2:20", "training.warmup", "expected less than 1", "Write less than 1."),
    "a word that is not offered": bad(
        GOOD + "training: {scheduler: cosin}\n",
        "run.yaml:2:23", "training.scheduler", "expected one of 'cosine', 'cosine-restarts',",
        "Did you mean 'cosine'?"),
    "a key that stands twice": bad(
        GOOD + "tuner: lora\ntuner: full\n",
        "run.yaml:3:1", "tuner", "this key stands twice (first at line 2)", "Keep one"),
    "a key of a section that stands twice": bad(
        GOOD + "training:\n  epochs: 1\n  epochs: 2\n",
        "run.yaml:4:3", "training.epochs", "this key stands twice (first at line 3)", "Keep one"),
    "a tag that builds an object": bad(
        GOOD + "model: !!python/object/apply:os.system ['touch PWNED']\n",
        "run.yaml:2:8", "model", "the tag !!python/object/apply:os.system is not allowed",
        "Remove it"),
    "aliases without end": bad(
        BOMB,
        "run.yaml:5:1", "e", "more than 100,000 values stand here", "needs no such aliases"),
    "an alias of itself": bad(
        "data: &a [*a]\n",
        "run.yaml:1:1", "data", "nested more than 50 deep", "needs no such aliases"),
    "a parent that is nowhere": bad(
        GOOD + "extends: base.yaml\n",
        "run.yaml:2:10", "extends", "there is no file base.yaml",
        "Look at the path; run files in that folder: run.yaml."),
    "a parent that is no path": bad(
        GOOD + "extends: [base.yaml]\n",
        "run.yaml:2:10", "extends", "expected a path, found a list", "the path of one run file"),
    "a file that extends itself": bad(
        GOOD + "extends: run.yaml\n",
        "run.yaml:2:10", "extends", "this file extends itself", "name another file"),
    "two files that extend each other": bad(
        GOOD + "extends: below/circle.yaml\n",
        "below/circle.yaml:1:10", "extends", "../run.yaml extends this file in turn",
        "one of the files in the circle"),
    "a fault in a parent": bad(
        GOOD + "extends: below/wrong.yaml\n",
        "below/wrong.yaml:2:8", *MISSPELT),
    "a plugin file that is nowhere": bad(
        GOOD + "plugins: [mine.py]\n",
        "run.yaml:2:11", "plugins.0", "there is no file", "found from the folder of the run file"),
    "a plugin file among the data": bad(
        "data: [set]\nplugins: [set/evil.py]\n",
        "run.yaml:2:11", "plugins.0", "data is never run as code", "Move it beside the run file"),
    "a plugin file that is no Python": bad(
        GOOD + "plugins: [broken.py]\n",
        "run.yaml:2:11", "plugins.0", "broken.py fails at line 1: SyntaxError", "Mend that file"),
    "an override that is none": bad(
        GOOD,
        CL, "", "'training.epochs' is no override", "Write `key.path=value`",
        overrides=("training.epochs",)),
    "an override of what has no keys": bad(
        GOOD + "training: {epochs: 3}\n",
        CL, "training.epochs.deep", "'training.epochs' is 3, and has no keys",
        "Set it as a whole",
        overrides=("training.epochs.deep=1",)),
    "an override of an item that is not there": bad(
        GOOD,
        CL, "data.5.samples", "the list 'data' has 1 item, number 0", "Name one of those",
        overrides=("data.5.samples=1",)),
    "an override that drops what is not there": bad(
        GOOD,
        CL, "tuner", "there is no 'tuner' to drop", "There is: data.",
        overrides=("~tuner",)),
    "a value on the command line that is no YAML": bad(
        GOOD,
        CL, "training.epochs", "this is no YAML", "Close it with ']'",
        overrides=("training.epochs=[1",)),
    "a wrong value on the command line": bad(
        GOOD,
        CL, "training.epochs", "expected a number, found the text 'many'", "Write a number.",
        overrides=("training.epochs=many",)),
    "an output that is a file": bad(
        GOOD + "output: rows.jsonl\n",
        "run.yaml:2:9", "output", "rows.jsonl is a file", "Choose another folder"),
    "an output beneath a file": bad(
        GOOD + "output: rows.jsonl/deep\n",
        "run.yaml:2:9", "output", "rows.jsonl is a file", "Choose another folder"),
    "a plugin without a name": bad(
        GOOD + "tuner: {rank: 8}\n",
        "run.yaml:2:8", "tuner", "the key `name` is missing",
        "Write `tuner: {name: NAME, option: value}`. Installed: adalora, bitfit"),
    "two plugins that refuse each other": bad(
        GOOD + "patches: [eager, sdpa]\n",
        "run.yaml:2:11", "patches.0", "patches/eager cannot go with patches/sdpa",
        "Leave one of them out"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with good data, and with things that are no data and no models."""
    row = {"instruction": "a", "input": "", "output": "b"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "notes.docx").write_text("x")
    for name in ("empty-folder", "broken-model", "strange-model", "list-model", "set", "below"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken-model" / "config.json").write_text("{")
    (tmp_path / "strange-model" / "config.json").write_text(
        '{"architectures": ["StrangeForCausalLM"]}'
    )
    (tmp_path / "list-model" / "config.json").write_text("[]")
    (tmp_path / "below" / "circle.yaml").write_text("extends: ../run.yaml\n")
    (tmp_path / "below" / "wrong.yaml").write_text("# a comment\ntuner: lorra\n")
    (tmp_path / "broken.py").write_text("def (\n")
    (tmp_path / "set" / "rows.jsonl").write_text(json.dumps(row))
    (tmp_path / "set" / "evil.py").write_text("open('PWNED', 'w')")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    """Return all that is in a folder: what each file holds, and which folders there are."""
    return {p: p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.fixture
def answer_to(folder, monkeypatch, capsys):
    """Run the command line in this process; return its exit code and what it printed."""

    def answer(*words):
        monkeypatch.setattr(sys, "argv", ["luthier", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    return answer


def assert_good_answer(code, out, err, told):
    """Each problem is a line that begins with its place, its remedy the line beneath; no more."""
    assert code == 2
    assert out == ""
    lines = err.splitlines()
    assert len(lines) < 12
    assert "Traceback" not in err
    assert "pydantic" not in err
    assert lines[0].startswith("error: ")
    lines[0] = lines[0].removeprefix("error: ")
    if len(told) > 1:
        assert lines.pop(0) == f"{len(told)} problems"
    assert len(lines) == 2 * len(told), err
    for (place, key, problem, remedy), first, second in zip(
        told, lines[::2], lines[1::2], strict=True
    ):
        head = f"{place}: {key}: " if key else f"{place}: "
        assert first.startswith(head), first
        assert problem in first.removeprefix(head)
        assert second.startswith("    ")
        assert remedy in second


@pytest.mark.parametrize("name", CASES)
def test_a_bad_run_file_is_answered_with_place_problem_and_remedy(folder, answer_to, name):
    case = CASES[name]
    file = folder / "run.yaml"
    file.write_bytes(case.text if isinstance(case.text, bytes) else case.text.encode())
    before = contents(folder)
    command = ["train", "check"][list(CASES).index(name) % 2]
    answer = answer_to(command, "run.yaml", *case.overrides)
    assert_good_answer(*answer, case.told)
    assert contents(folder) == before


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize(
    "told",
    [
        Told("nowhere.yaml", "", "there is no such file", "run files in that folder: none"),
        Told("gone/run.yaml", "", "there is no such file", "There is no folder gone either"),
        Told("set", "", "this is a folder", "`luthier resume`"),
    ],
)
def test_a_run_file_that_is_none_is_answered_alike(folder, answer_to, command, told):
    before = contents(folder)
    assert_good_answer(*answer_to(command, told.place), [told])
    assert contents(folder) == before


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("run.yaml", Told("run.yaml", "", "the file may not be read", "chmod")),
        ("rows.jsonl", Told("run.yaml:1:8", "data.0.path", "rows.jsonl cannot be read", "chmod")),
        ("config.json", Told("run.yaml:2:8", "model.path", "config.json cannot be read", "chmod")),
    ],
)
def test_a_file_that_may_not_be_read_is_answered_alike(
    folder, answer_to, monkeypatch, command, name, told
):
    (folder / "run.yaml").write_text(GOOD + "model: broken-model\n" * (name == "config.json"))
    before = contents(folder)
    original = Path.open

    def refusing(self, *arguments, **keywords):
        if self.name == name:
            raise PermissionError(13, "Permission denied", str(self))
        return original(self, *arguments, **keywords)

    with monkeypatch.context() as patched:
        # the tests may run as root, whom no file refuses
        patched.setattr(Path, "open", refusing)
        answer = answer_to(command, "run.yaml")
    assert_good_answer(*answer, [told])
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("train", "a misspelt plugin"),
        ("check", "three errors at once"),
        ("train", "a tag that builds an object"),
    ],
)
def test_the_process_itself_leaves_with_two_and_prints_to_stderr(folder, command, name):
    case = CASES[name]
    (folder / "run.yaml").write_text(case.text)
    before = contents(folder)
    words = [sys.executable, "-m", "luthier.core", command, "run.yaml"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert_good_answer(done.returncode, done.stdout, done.stderr, case.told)
    assert contents(folder) == before


def test_a_good_file_is_told_to_be_good(folder, monkeypatch, capsys):
    (folder / "run.yaml").write_text(GOOD)
    monkeypatch.setattr(sys, "argv", ["luthier", "check", "run.yaml"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code in {0, None}
    assert capsys.readouterr().out == "run.yaml can be run on cpu.\n"
