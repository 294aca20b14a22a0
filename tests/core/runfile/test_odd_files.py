"""Run files that nobody writes on purpose: each is told, none ends in a traceback."""

import json
import re

import pytest

from luthier.core import check
from luthier.core.problems import BadRunFile
from luthier.core.runfile.parsing import parse

GOOD = "data: [rows.jsonl]\n"

ODD = {
    "brackets without end": ("a: " + "[" * 1200 + "]" * 1200, "1:1", "", "nested far too deep"),
    "brackets that are many": ("a: " + "[" * 60 + "]" * 60, "1:1", "a", "more than 50 deep"),
    "a number of a thousand digits": ("a: " + "9" * 1000, "1:4", "a", "number is too large"),
    "a number beyond all floats": ("a: -1e400", "1:4", "a", "number is too large"),
    "half an emoji": ('a: "\\ud83d"', "1:4", "a", "half of a surrogate pair"),
    "a key that is a list": ("? [a, b]\n: 1", "1:3", "", "a key has to be a text"),
    "a merge key": ("a: &a {b: 1}\nc: {<<: *a}", "2:5", "c", "the merge key `<<`"),
    "a local tag": ("a: !mine b", "1:4", "a", "the tag !mine is not allowed"),
    "a binary": ("a: !!binary aGk=", "1:4", "a", "the tag !!binary is not allowed"),
    "a control character": ("a: 1\nb: x\0", "2:5", "", "the character U+0000 is not allowed"),
    "a missing comma": ('{"a": 1\n "b": 2}', "1:1", "", "neither ',' nor '}' before line 2"),
    "a comma too few in a line": ("a: [{b: 1} {c: 2}]", "1:12", "", "neither ',' nor ']'"),
    "keys that do not stand in line": (
        "a:\n    b: 1\n  c: 2", "3:3", "", "the indentation fits none"),
    "a key without a colon": ("a: 1\nb\nc: 2", "2:1", "", "no ':' follows this key"),
    "an unknown escape": ('a: "C:\\quux"', "1:8", "", "there is no such escape"),
    "a sign for an anchor alone": ("a: & b", "1:5", "", "a name has to follow the sign"),
    "rows of data": ('{"a": 1}\n{"a": 2}', "2:1", "", "another value begins here"),
    "a bar before a text": ("a: | b", "1:6", "", "begins a text on the lines beneath"),
    "a text that begins with an at": ("a: @b", "1:4", "", "no text begins with '@'"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_text_is_told_at_its_line_and_column(name):
    text, place, key, said = ODD[name]
    with pytest.raises(BadRunFile) as fault:
        parse(text, "a.yaml")
    (problem,) = fault.value.problems
    assert (str(problem.place), problem.key) == (f"a.yaml:{place}", key)
    assert said in problem.problem
    assert problem.remedy


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "\\ud83d\\ude00", "b": "x\\/y"}', {"a": "😀", "b": "x/y"}),  # as json.dumps has it
        ('{\n\t"a": [1,\n\t\t2]\n}', {"a": [1, 2]}),
        ("a: &x 1\nb: &x 2\nc: *x", {"a": 1, "b": 2, "c": 2}),
        ("a: {}\nb: []\nc:\nd: ''", {"a": {}, "b": [], "c": None, "d": ""}),
        ("a: .5e3\nb: !!str 5\nc: =\nd: 0b11", {"a": 500.0, "b": "5", "c": "=", "d": "0b11"}),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
    ],
)
def test_what_is_odd_and_allowed_is_read(text, value):
    assert parse(text, "a.yaml").plain() == value


def test_a_value_that_is_not_written_stands_where_its_key_does():
    tree = parse("a:\n  b:\nc: 1\n", "a.yaml")
    assert str(tree.at(("a", "b")).place) == "a.yaml:2:3"


@pytest.fixture
def problems_of(tmp_path, monkeypatch):
    """A function: the problems of a run file's text."""
    row = {"instruction": "a", "input": "", "output": "b"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)

    def problems(text, *overrides):
        (tmp_path / "run.yaml").write_text(text)
        with pytest.raises(BadRunFile) as fault:
            check("run.yaml", overrides)
        return fault.value.problems

    return problems


UNUSABLE = ['"a\\0b"', "x" * 5000, "~nobody-of-this-name/x", "loop/x"]


@pytest.mark.parametrize("path", UNUSABLE)
@pytest.mark.parametrize(
    ("text", "place", "key"),
    [
        ("data: [PATH]", "run.yaml:1:8", "data.0.path"),
        (f"{GOOD}model: PATH", "run.yaml:2:8", "model.path"),
        (f"{GOOD}output: PATH", "run.yaml:2:9", "output"),
        (f"{GOOD}plugins: [PATH]", "run.yaml:2:11", "plugins.0"),
        (f"{GOOD}extends: PATH", "run.yaml:2:10", "extends"),
    ],
)
def test_a_path_that_the_system_refuses_is_told_wherever_it_stands(
    problems_of, text, place, key, path
):
    (problem,) = problems_of(text.replace("PATH", path))
    assert (str(problem.place), problem.key) == (place, key)
    assert "cannot be looked for" in problem.problem
    assert len(problem.problem) < 300
    assert problem.remedy


def test_a_parent_that_is_a_folder_is_told_where_it_is_named(problems_of):
    (problem,) = problems_of(GOOD + "extends: folder\n")
    assert (str(problem.place), problem.problem) == ("run.yaml:2:10", "folder is a folder")


def test_only_a_file_extends_another(problems_of):
    (problem,) = problems_of(GOOD, "extends=run.yaml")
    assert str(problem.place) == "command line"
    assert "only a file extends another" in problem.problem


def test_a_word_before_a_colon_is_taken_for_a_source_and_answered_as_one(problems_of):
    (problem,) = problems_of("data: ['hff:owner/name']\n")
    assert (problem.key, str(problem.place)) == ("data.0.source", "run.yaml:1:8")
    assert "Did you mean 'hf'?" in problem.remedy


def test_a_missing_data_file_is_answered_with_those_that_there_are(problems_of):
    (problem,) = problems_of("data: [row.jsonl]\n")
    assert "Data files in that folder: rows.jsonl." in problem.remedy


@pytest.mark.parametrize(
    ("line", "ending"), [("data: [no.jsonl]", "jsonl"), ("extends: no.yaml", "yaml")]
)
def test_a_long_list_of_what_there_is_ends_in_how_many_more_there_are(
    problems_of, tmp_path, line, ending
):
    for letter in "abcdefghijk":
        (tmp_path / f"{letter}.{ending}").write_text("")
    (problem,) = problems_of(line + "\n")
    assert re.search(rf"h\.{ending} and [34] more\.", problem.remedy)


def test_a_folder_whose_name_holds_a_full_stop_is_told_whole(problems_of, tmp_path):
    (tmp_path / "Dr. No").mkdir()
    (problem,) = problems_of("data: ['Dr. No']\n")
    assert problem.problem == f"the folder {tmp_path / 'Dr. No'} holds no data"


def test_a_name_on_a_hub_is_not_taken_for_a_folder_here_of_that_name(tmp_path):
    (tmp_path / "owner" / "name").mkdir(parents=True)
    (tmp_path / "run.yaml").write_text("data: ['hf:owner/name']\n")
    run = check(tmp_path / "run.yaml")
    assert run.tree.at(("data", 0, "path")).value == "hf:owner/name"


def test_a_local_path_is_made_whole_with_its_scheme(tmp_path, data_file):
    (tmp_path / "run.yaml").write_text("data: ['files:rows.jsonl']\n")
    run = check(tmp_path / "run.yaml")
    assert run.tree.at(("data", 0, "path")).value == f"files:{data_file}"
    assert run.data[0].local_path == data_file


def test_problems_of_several_files_stand_by_file_then_by_line(problems_of, tmp_path):
    (tmp_path / "base.yaml").write_text("tuner: lorra\ntraining: {epochs: 0}\n")
    found = problems_of("extends: base.yaml\ndata: [nowhere.jsonl]\nstage: sftt\n")
    places = [str(problem.place) for problem in found]
    assert sorted(places[:2]) == places[:2] == ["base.yaml:1:8", "base.yaml:2:20"]
    assert places[2:] == ["run.yaml:2:8", "run.yaml:3:8"]


BARE_FAMILY = """
from luthier.core.model.families import Family

BARE = Family(architectures=("BareForCausalLM",))
ENTRY_POINTS = {"luthier.families": {"bare": BARE}}
"""


def test_a_fault_of_what_nobody_wrote_is_told_at_what_led_to_it(problems_of, tmp_path):
    config = '{"architectures": ["BareForCausalLM"]}'
    (tmp_path / "folder" / "config.json").write_text(config)
    (tmp_path / "bare.py").write_text(BARE_FAMILY)
    (problem,) = problems_of(GOOD + "model: folder\nplugins: [bare.py]\n")
    assert (str(problem.place), problem.key) == ("run.yaml:2:8", "template")
    assert "no chat template of its own" in problem.problem
    assert "Write `template: NAME`; `luthier plugins templates` lists" in problem.remedy


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("architectures", 5, "list of names"),
        ("architectures", [["x"]], "list of names"),
        ("architectures", {"a": 1}, "list of names"),
        ("model_type", ["llama"], "text"),
        ("layer_types", 5, "list of names"),
        ("layer_types", [["a"]], "list of names"),
        ("text_config", "llama", "mapping"),
        ("quantization_config", "gptq", "mapping"),
    ],
)
def test_a_config_whose_values_are_of_another_kind_is_told(problems_of, tmp_path, key, value, kind):
    config = {"architectures": ["LlamaForCausalLM"], key: value}
    (tmp_path / "folder" / "config.json").write_text(json.dumps(config))
    (problem,) = problems_of(GOOD + "model: folder\n")
    assert f"the `{key}` of {tmp_path}" in problem.problem
    assert f"config.json is no {kind}: {value!r}" in problem.problem


@pytest.mark.parametrize("key", ["quantization_config", "text_config"])
def test_a_value_of_another_kind_within_a_part_of_a_config_is_told(problems_of, tmp_path, key):
    part = {"quant_method": ["x"], "layer_types": ["full_attention"]}
    config = {"architectures": ["LlamaForCausalLM"], key: part}
    (tmp_path / "folder" / "config.json").write_text(json.dumps(config))
    (problem,) = problems_of(GOOD + "model: folder\n")
    assert "the `quant_method` of" in problem.problem


@pytest.mark.parametrize(
    "option", ["{name: rope-scaling, factor: .inf}", "{name: neftune, alpha: .inf}"]
)
def test_an_option_of_a_plugin_that_is_infinite_is_told(problems_of, option):
    (problem,) = problems_of(GOOD + f"patches: [{option}]\n")
    assert "finite" in problem.problem
