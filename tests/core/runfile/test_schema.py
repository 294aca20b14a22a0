"""The JSON Schema of run files: what an editor marks is what a check refuses, and no more."""

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from luthier.core import check
from luthier.core.problems import BadRunFile
from luthier.core.runfile.schema import run_file_schema
from luthier.core.runfile.starting import run_file_for

NESTED = (
    "from pydantic import BaseModel\n"
    "from luthier.core import Plugin, hookimpl\n"
    "class Options(BaseModel):\n"
    "    KEY: int = 1\n"
    "class Fake(Plugin):\n"
    '    """Has options of its own."""\n'
    "    options: Options = Options()\n"
    '    """Some options."""\n'
    "    @hookimpl\n"
    "    def attach_adapter(self, model):\n"
    "        return model\n"
)


def is_valid(run):
    return Draft202012Validator(run_file_schema()).is_valid(run)


def is_checked(run):
    try:
        check(run)
    except BadRunFile:
        return False
    return True


SILENT = ["encoding", "training", "checkpoints", "generation", "tuner", "stage", "engine",
          "template", "patches", "output", "extends", "plugins", "model"]  # fmt: skip


@pytest.mark.parametrize("key", SILENT)
def test_a_key_with_nothing_behind_it_is_silent_to_the_schema_as_to_a_check(data_file, key):
    # such is a section of a new run file, whose lines are all comments
    run = {"data": [str(data_file)], key: None}
    assert is_valid(run)
    assert is_checked(run)


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({"model": {}}, True),
        ({"model": {"revision": "main"}}, True),
        ({"model": {"path": "tiny", "family": "tiny"}}, True),
        ({"model": {"path": "tiny", "family": {"name": "tiny", "template": "chatml"}}}, True),
        ({"model": {"path": "tiny", "family": {"template": "chatml"}}}, False),
        ({"model": {"path": "tiny", "family": "tinny"}}, False),
        ({"model": 5}, False),
        ({"template": {"name": "auto", "default_system": "Be brief."}}, True),
        ({"template": {"name": "auto", "default_sistem": "Be brief."}}, False),
        ({"template": {"name": "chatml", "answer_end": 5}}, False),
        ({"template": {"user": "{{ content }}", "stops": ["."]}}, True),
        ({"template": {"source": "{{ messages[0].content }}"}}, True),
        ({"template": {"usr": "{{ content }}"}}, False),
        ({"template": {"answer_end": 5}}, False),
        ({"template": {}}, False),
        ({"tuner": {"name": "lora", "targets": 5}}, False),
        ({"tuner": ["lora"]}, False),
        ({"patches": [None]}, False),
        ({"data": None}, False),
        ({"data": []}, False),
        ({"data": 5}, False),
        ({"data": [{"format": "alpaca"}]}, False),
        ({"data": [{"path": "PATH", "format": {"name": "alpaca", "output": "answer"}}]}, True),
        ({"data": {"path": "PATH", "variables": {"a": "b"}}}, True),
        ({"data": {"path": "PATH", "variables": {"a": 1}}}, False),
        ({"data": "PATH"}, True),
        ({"output": 5}, False),
    ],
    ids=str,
)
def test_the_schema_and_a_check_say_the_same(data_file, changes, good):
    run = _with_path({"data": [str(data_file)], **changes}, str(data_file))
    assert is_valid(run) == good
    assert is_checked(run) == good


def _with_path(value, path):
    if isinstance(value, dict):
        return {key: _with_path(inner, path) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_path(inner, path) for inner in value]
    return path if value == "PATH" else value


def test_two_plugins_may_each_have_a_class_of_one_name(install):
    points = {"luthier.tuners": {"one": "fake_one:Fake", "two": "fake_two:Fake"}}
    texts = {f"fake_{n}": NESTED.replace("KEY", key) for n, key in (("one", "a"), ("two", "b"))}
    install("fake-a", points, **texts)
    schema = run_file_schema()
    Draft202012Validator.check_schema(schema)
    for name, key, other in (("one", "a", "b"), ("two", "b", "a")):
        assert is_valid({"tuner": {"name": name, "options": {key: 2}}})
        assert not is_valid({"tuner": {"name": name, "options": {key: "x"}}})
        definition = schema["$defs"][f"tuners.{name}.Options"]
        assert key in definition["properties"]
        assert other not in definition["properties"]


def test_a_name_of_two_owners_is_valid_with_its_distribution_before_it(install, data_file):
    for owner in ("a", "b"):
        points = {"luthier.tuners": {"fake": f"fake_{owner}:Fake"}}
        install(f"fake-{owner}", points, **{f"fake_{owner}": NESTED.replace("KEY", "a")})
    run = {"data": [str(data_file)]}
    for tuner, good in (
        ("fake", False),
        ("fake-a:fake", True),
        ({"name": "fake-b:fake", "options": {"a": 2}}, True),
        ({"name": "fake"}, False),
    ):
        assert is_valid({**run, "tuner": tuner}) == good
        assert is_checked({**run, "tuner": tuner}) == good


@pytest.mark.parametrize("tuner", ["", "full", "lora"])
def test_a_run_file_to_start_from_is_valid_and_can_be_run(tmp_path, data_file, tuner):
    data_file.rename(tmp_path / "data.jsonl")
    file = tmp_path / "run.yaml"
    file.write_text(run_file_for({"tuner": tuner, "stage": ""}))
    assert is_valid(YAML(typ="safe").load(file))
    assert check(file).of("tuners")[0].name == (tuner or "lora")


def test_every_comment_of_a_run_file_to_start_from_may_be_taken_away(tmp_path, data_file):
    data_file.rename(tmp_path / "data.jsonl")
    lines = run_file_for({"tuner": "lora", "stage": ""}).splitlines()
    opened = [line.replace("  # ", "  ", 1) if line.startswith("  # ") else line for line in lines]
    assert opened != lines
    file = tmp_path / "run.yaml"
    trees = []
    for text in (lines, opened):
        file.write_text("\n".join(text) + "\n")
        trees.append(check(file).tree.plain())
    assert trees[0] == trees[1]


def test_an_option_that_has_to_be_given_stands_in_a_run_file_to_start_from(install):
    text = NESTED + '    rank: int\n    """The rank."""\n'
    install("fake-a", {"luthier.tuners": {"fake": "fake_one:Fake"}},
            fake_one=text.replace("KEY", "a"))  # fmt: skip
    lines = run_file_for({"tuner": "fake"}).splitlines()
    (rank,) = [line for line in lines if line.startswith("  rank:")]
    assert rank.endswith("# to be given: The rank.")
    assert any(line.startswith('  # options: {"a": 1}') for line in lines)
