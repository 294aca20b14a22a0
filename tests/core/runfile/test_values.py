"""Values: what YAML 1.2 reads, where each comes from, and how files and command line join."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from luthier.core import check
from luthier.core.problems import BadRunFile, Place
from luthier.core.runfile import read_tree, resolve
from luthier.core.runfile.nodes import DEFAULT, node_of
from luthier.core.runfile.parsing import parse
from luthier.core.runfile.validation import validate
from luthier.core.runfile.writing import annotated


@pytest.fixture
def write(tmp_path):
    """Write a file beside a good data file; return its path."""
    row = {"instruction": "a", "input": "", "output": "b"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))

    def make(text, name="run.yaml"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    return make


# --- YAML 1.2 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("1E3", 1000.0), (".5", 0.5), ("-3", -3), ("0o14", 12), ("0x1F", 31),
        ("010", 10), (".inf", math.inf), ("-.inf", -math.inf), ("true", True), ("False", False),
        ("null", None), ("~", None), ("", None), ("no", "no"), ("on", "on"), ("yes", "yes"),
        ("2026-11-23", "2026-11-23"), ("12:30:45", "12:30:45"), ("1_000", "1_000"),
        ('"4"', "4"), ("'true'", "true"), ("v1.2.3", "v1.2.3"),
    ],
)  # fmt: skip
def test_a_scalar_is_what_yaml_1_2_says(text, value):
    found = parse(f"key: {text}\n", "a.yaml").plain()["key"]
    assert found == value
    assert type(found) is type(value)


class Flags(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)

    on: bool = True
    """Whether."""
    text: str = ""
    """What."""


@pytest.mark.parametrize(("word", "value"), [("no", False), ("Off", False), ("yes", True)])
def test_words_of_yaml_1_1_are_truth_where_truth_is_wanted_and_text_where_text_is(word, value):
    problems = []
    found = validate(Flags, parse(f"on: {word}\ntext: {word}\n", "a.yaml"), ("x",), problems)
    assert not problems
    assert found == Flags(on=value, text=word)


def test_not_a_number_is_a_number():
    assert math.isnan(parse("key: .nan\n", "a.yaml").plain()["key"])


@pytest.mark.parametrize("word", ["no", "on", "yes", "1.10", "2026-11-23", "true", "~"])
def test_a_text_in_quotes_stays_the_text_in_what_data_puts_into_rows(write, word):
    file = write(f"data:\n  - path: rows.jsonl\n    variables: {{quoted: '{word}'}}\n")
    assert check(file).data[0].section.variables == {"quoted": word}


@pytest.mark.parametrize("word", ["no", "on", "yes", "off", "2026-11-23", "v1.2"])
def test_words_without_quotes_are_texts_in_what_data_puts_into_rows(write, word):
    file = write(f"data:\n  - path: rows.jsonl\n    variables: {{plain: {word}}}\n")
    assert check(file).data[0].section.variables == {"plain": word}


@pytest.mark.parametrize("word", ["nein", "y", "1", "'1'", "0o1"])
def test_what_is_no_word_for_truth_is_refused_where_truth_is_wanted(word):
    problems = []
    assert validate(Flags, parse(f"on: {word}\n", "a.yaml"), ("x",), problems) is None
    (problem,) = problems
    assert (str(problem.place), problem.key) == ("a.yaml:1:5", "x.on")
    assert "expected true or false" in problem.problem


def test_a_number_without_a_point_in_its_power_is_taken_by_a_section(write):
    file = write("data: [rows.jsonl]\ntraining: {learning_rate: 1e-4, seed: 0o14}\n")
    run = check(file)
    assert (run.training.learning_rate, run.training.seed) == (1e-4, 12)


def test_a_fault_in_a_json_file_has_its_line_and_column(write):
    file = write('{\n  "data": ["rows.jsonl"],\n  "tuner": "lorra"\n}\n', "run.json")
    with pytest.raises(BadRunFile) as fault:
        check(file)
    (problem,) = fault.value.problems
    assert problem.place == Place(str(file), 3, 12)


def test_a_json_file_is_a_run_file(write):
    file = write(json.dumps({"data": ["rows.jsonl"], "training": {"learning_rate": 1e-05}}))
    assert check(file).training.learning_rate == 1e-05


# --- origins -------------------------------------------------------------------------------------


def test_every_value_knows_where_it_comes_from(write):
    file = write("data: [rows.jsonl]\ntraining:\n  epochs: 2\n")
    tree = resolve(read_tree(file, ["training.seed=7", "tuner.rank=4", "tuner.name=lora"])).tree
    assert tree.at(("training", "epochs")).place == Place(str(file), 3, 11)
    assert tree.at(("training", "seed")).place == Place("command line")
    assert tree.at(("training", "batch_size")).place == DEFAULT
    assert tree.at(("tuner", "rank")).place == Place("command line")
    assert tree.at(("tuner", "dropout")).place == DEFAULT
    assert tree.at(("model", "family")).place == Place("recognised by its name")
    assert tree.at(("template", "name")).place == Place("family tiny: the model brings none")


def test_a_value_of_a_parent_has_the_line_of_the_parent(write):
    base = write("# a comment\ntraining: {epochs: 2}\n", "base.yaml")
    file = write("extends: base.yaml\ndata: [rows.jsonl]\ntraining: {seed: 3}\n")
    tree = resolve(read_tree(file)).tree
    assert tree.at(("training", "epochs")).place == Place(str(base), 2, 20)
    assert tree.at(("training", "seed")).place == Place(str(file), 3, 18)


def test_an_origin_is_told_without_detours(write, tmp_path, monkeypatch):
    write("training: {epochs: 2}\n", "below/base.yaml")
    write("extends: ../below/base.yaml\ndata: [../rows.jsonl]\n", "below/run.yaml")
    monkeypatch.chdir(tmp_path)
    tree = resolve(read_tree(Path("below/../below/run.yaml"))).tree
    assert tree.at(("training", "epochs")).place == Place("below/base.yaml", 1, 20)
    assert tree.at(("data", 0, "path")).place == Place("below/run.yaml", 2, 8)


def test_a_detour_through_a_link_is_told_as_it_is(write, tmp_path, monkeypatch):
    write("training: {epochs: 2}\n", "far/base.yaml")
    (tmp_path / "far" / "deep").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "deep")
    monkeypatch.chdir(tmp_path)
    file = write("extends: link/../base.yaml\ndata: [rows.jsonl]\n")
    assert check(file).training.epochs == 2
    assert f"{file.parent}/link/../base.yaml" in origins_of(check(file))


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
)
names = st.text(max_size=6)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(tree=st.dictionaries(names, values, max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_tree_that_is_written_is_read_again_as_it_was(tree):
    assert parse(annotated(node_of(tree, DEFAULT)), "a.yaml").plain() == tree


def test_a_resolved_run_that_is_written_is_read_as_the_same_run(write):
    file = write("data: [rows.jsonl]\ntuner: {name: lora, rank: 4}\npatches: [sdpa]\n")
    run = check(file, ["training.learning_rate=1e-5"])
    again = check(write(annotated(run.tree), "again.yaml"))
    assert again.tree.plain() == run.tree.plain()
    assert origins_of(again) == {str(file.parent / "again.yaml")}


def origins_of(run):
    """Return the files and words that the values of a run come from."""
    return {node.place.origin for _, node in run.tree.leaves()}


def test_the_annotated_file_names_each_origin(write):
    file = write("data: [rows.jsonl]\ntraining: {epochs: 2}\n")
    lines = annotated(check(file, ["training.seed=7"]).tree).splitlines()
    said = {line.split(":")[0].strip(): line.partition("# ")[2] for line in lines}
    assert said["epochs"] == f"{file}:2"
    assert said["seed"] == "command line"
    assert said["batch_size"] == "default"


# --- files that extend others --------------------------------------------------------------------


def test_a_file_holds_where_it_speaks_and_its_parent_where_it_is_silent(write):
    write("training: {epochs: 5, seed: 1}\ntuner: {name: lora, rank: 4}\n", "base.yaml")
    run = check(write("extends: base.yaml\ndata: [rows.jsonl]\ntraining: {epochs: 2}\n"))
    assert (run.training.epochs, run.training.seed) == (2, 1)
    assert run.of("tuners")[0].plugin.rank == 4


def test_another_plugin_does_not_keep_the_options_of_the_first(write):
    write("data: [rows.jsonl]\ntuner: {name: lora, rank: 4}\n", "base.yaml")
    run = check(write("extends: base.yaml\ntuner: full\n"))
    assert run.of("tuners")[0].name == "full"
    again = check(write("extends: base.yaml\ntuner: {name: full}\n"))
    assert again.of("tuners")[0].name == "full"


def test_a_list_is_replaced_as_a_whole(write):
    write("data: [a.jsonl, b.jsonl]\n", "base.yaml")
    run = check(write("extends: base.yaml\ndata: [rows.jsonl]\n"))
    assert [str(spec) for spec in run.data] == ["rows.jsonl"]


@pytest.mark.parametrize(
    ("below", "above", "rank"),
    [
        ("tuner: {rank: 4}", "tuner: lora", 4),
        ("tuner: lora", "tuner: {name: lora, rank: 4}", 4),
        ("tuner: {name: lora, dropout: 0.1}", "tuner: {name: lora, rank: 4}", 4),
        ("tuner:", "tuner: {name: lora, rank: 4}", 8),
    ],
)
def test_one_plugin_under_the_same_name_keeps_its_options(write, below, above, rank):
    write(f"data: [rows.jsonl]\n{above}\n", "base.yaml")
    (tuner,) = check(write(f"extends: base.yaml\n{below}\n")).of("tuners")
    assert (tuner.name, tuner.plugin.rank) == ("lora", rank)


def test_the_nearest_of_three_generations_is_heard(write):
    write("data: [rows.jsonl]\ntraining: {epochs: 1, seed: 1, warmup: 0.1}\n", "oldest.yaml")
    write("extends: oldest.yaml\ntraining: {epochs: 2, seed: 2}\n", "middle.yaml")
    training = check(write("extends: middle.yaml\ntraining: {epochs: 3}\n")).training
    assert (training.epochs, training.seed, training.warmup) == (3, 2, 0.1)


def test_a_path_is_found_from_the_file_that_names_it(write, tmp_path, monkeypatch):
    write("data: [here.jsonl]\n", "below/base.yaml")
    row = (tmp_path / "rows.jsonl").read_text()
    (tmp_path / "below" / "here.jsonl").write_text(row)
    file = write("extends: below/base.yaml\n")
    assert check(file).data[0].local_path == tmp_path / "below" / "here.jsonl"
    monkeypatch.chdir(tmp_path / "below")
    run = check(file, ["data=[here.jsonl]"])
    assert run.data[0].local_path == tmp_path / "below" / "here.jsonl"


# --- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "path", "value"),
    [
        (["training.epochs=7"], ("training", "epochs"), 7),
        (["training.learning_rate=1e-3"], ("training", "learning_rate"), 1e-3),
        (["tuner.rank=4"], ("tuner", "rank"), 4),
        (["tuner=full"], ("tuner", "name"), "full"),
        (["data.0.samples=1"], ("data", 0, "samples"), 1),
        (["patches=[eager, sdpa]", "~patches.0"], ("patches", 0, "name"), "sdpa"),
        (["patches=[eager]", "patches.0=sdpa"], ("patches", 0, "name"), "sdpa"),
        (["training.epochs=5", "training.epochs=6"], ("training", "epochs"), 6),
        (["training={seed: 9}"], ("training", "epochs"), 2),
        (["~training.epochs"], ("training", "epochs"), 3.0),
        (["~tuner", "tuner={name: full}"], ("tuner", "name"), "full"),
        (["generation.temperature=0", "~generation.temperature"],
         ("generation", "temperature"), None),
    ],
)  # fmt: skip
def test_the_command_line_sets_and_drops_values(write, overrides, path, value):
    file = write("data: [rows.jsonl]\ntuner: lora\ntraining: {epochs: 2}\n")
    assert check(file, overrides).tree.at(path).value == value
