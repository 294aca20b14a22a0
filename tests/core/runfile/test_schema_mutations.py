"""Every field of the schema, misspelt and mistyped, one at a time, is told at its own key."""

import copy
import json

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from luthier.core import check
from luthier.core.problems import BadRunFile
from luthier.core.runfile.schema import run_file_schema
from luthier.core.sections import SECTIONS, DatasetSection
from luthier.core.selection import plugin_of
from luthier.registry import Catalogue

SCHEMA = run_file_schema()
SLOTS = {
    "tuners": ("tuner",), "stages": ("stage",), "engines": ("engine",), "templates": ("template",),
    "sources": ("data", 0, "source"), "formats": ("data", 0, "format"), "patches": ("patches", 0),
    "families": ("model", "family"),
}  # fmt: skip


def fields():
    """Yield the path of every field, and the pydantic field behind it."""
    for key, section in SECTIONS.items():
        for name, field in section.model_fields.items():
            yield (key, name), field, None
    for name, field in DatasetSection.model_fields.items():
        yield ("data", 0, name), field, None
    catalogue = Catalogue.installed()
    for kind, slot in SLOTS.items():
        for plugin in catalogue.names(kind):
            entry = catalogue.find(kind, plugin)
            value = plugin_of(entry)
            if entry.distribution != "luthier":
                continue
            cls = value if isinstance(value, type) else type(value)
            for name, field in cls.model_fields.items():
                yield (*slot, name), field, (slot, plugin)


FIELDS = list(fields())
IDS = [".".join(map(str, path)) + (f"[{slot[1]}]" if slot else "") for path, _, slot in FIELDS]


@pytest.fixture
def good(data_file):
    """A run with every list and mapping in place."""
    return {
        "model": {"path": "tiny"},
        "data": [{"path": str(data_file)}],
        "template": "chatml",
        **{key: {} for key in SECTIONS if key != "model"},
    }


def with_value(run, path, slot, value):
    """Return the run with a value at a path, the plugin that has the field chosen."""
    run = copy.deepcopy(run)
    if slot:
        place, name = slot
        chosen = {"name": name}
        if place[0] == "patches":
            run["patches"] = [chosen]
        else:
            holder = run
            for step in place[:-1]:
                holder = holder[step]
            holder[place[-1]] = chosen
    holder = run
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return run


def problems_of(run):
    with pytest.raises(BadRunFile) as fault:
        check(run)
    return fault.value.problems


@pytest.mark.parametrize(("path", "field", "slot"), FIELDS, ids=IDS)
def test_a_misspelt_field_is_told_with_the_nearest(good, path, field, slot):
    misspelt = path[-1] + path[-1][-1]
    found = problems_of(with_value(good, (*path[:-1], misspelt), slot, 1))
    key = ".".join(map(str, (*path[:-1], misspelt)))
    (problem,) = [p for p in found if p.key == key]
    assert problem.problem == "unknown key"
    assert repr(path[-1]) in problem.remedy


@pytest.mark.parametrize(("path", "field", "slot"), FIELDS, ids=IDS)
def test_a_mistyped_field_is_told_at_its_key(good, path, field, slot):
    wrong = [[["x"]]]  # no field takes a list of lists
    key = ".".join(map(str, path))
    found = problems_of(with_value(good, path, slot, wrong))
    assert [p for p in found if p.key == key or p.key.startswith(f"{key}.")], found
    for problem in found:
        assert problem.remedy
        assert "pydantic" not in str(problem)


def test_the_schema_is_a_json_schema_and_holds_every_installed_plugin():
    Draft202012Validator.check_schema(SCHEMA)
    text = json.dumps(SCHEMA)
    for kind in SLOTS:
        for name in Catalogue.installed().names(kind):
            assert f'"const": "{name}"' in text


def test_the_shipped_run_file_is_valid_by_the_schema(repository):
    shipped = YAML(typ="safe").load((repository / "examples/quickstart.yaml").read_text())
    Draft202012Validator(SCHEMA).validate(shipped)


STRUCTURES = [
    ({}, True),
    ({"tuner": "lora"}, True),
    ({"tuner": {"name": "lora", "rank": 4, "targets": ["q_proj"]}}, True),
    ({"tuner": {"name": "lora", "alpha": None}}, True),
    ({"patches": ["sdpa"]}, True),
    ({"patches": [{"name": "sdpa"}]}, True),
    ({"template": "auto"}, True),
    ({"training": {"learning_rate": 1e-3, "max_steps": 3}}, True),
    ({"generation": {"temperature": 0}}, True),
    ({"model": "tiny"}, True),
    ({"tuner": "lorra"}, False),
    ({"tuner": {"rank": 4}}, False),
    ({"tuner": {"name": "full", "rank": 4}}, False),
    ({"tuner": {"name": "lora", "rank": 0}}, False),
    ({"tuner": {"name": "lora", "rank": "4"}}, False),
    ({"patches": "sdpa"}, False),
    ({"training": {"epochs": 0}}, False),
    ({"training": {"scheduler": "cosin"}}, False),
    ({"training": []}, False),
    ({"nothing": 1}, False),
]


@pytest.mark.parametrize(("changes", "valid"), STRUCTURES, ids=[str(c) for c, _ in STRUCTURES])
def test_the_schema_and_the_check_agree(data_file, changes, valid):
    run = {"data": [{"path": str(data_file)}], **changes}
    assert Draft202012Validator(SCHEMA).is_valid(run) == valid
    if valid:
        check(run)
    else:
        assert problems_of(run)
