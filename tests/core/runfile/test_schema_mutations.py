"""Every field of the schema, misspelt and mistyped, one at a time, is told at its own key."""

import copy
import functools
import json

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from luthier.core import check
from luthier.core.plugin import missing_packages
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
LACKING = {
    entry.name for entry in Catalogue.installed()
    if entry.kind in SLOTS and missing_packages(plugin_of(entry))
}  # fmt: skip
# a hundred templates are values of one class, so its fields are tried on one; and so of families
OF_MANY = {("template",): "chatml", ("model", "family"): "llama"}
TRIED = [one for one in FIELDS if one[2] is None or OF_MANY.get(one[2][0], one[2][1]) == one[2][1]]
# of a plugin whose packages are missing nothing but that is told
TRIED = [one for one in TRIED if one[2] is None or one[2][1] not in LACKING]
IDS = [".".join(map(str, path)) + (f"[{slot[1]}]" if slot else "") for path, _, slot in TRIED]


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


def test_the_schema_holds_each_of_these_fields_and_no_other():
    walked = {}
    for key in SECTIONS:
        for branch in branches(SCHEMA["properties"][key]):
            walked |= {((key, n), None): own for n, own in branch.get("properties", {}).items()}
    # the plugins that a section or a dataset names are not its own fields
    walked = {path: own for path, own in walked.items() if path[0] != ("model", "family")}
    walked[("model", "family"), None] = None
    for name in dataset_schema()["properties"]:
        if name not in {"source", "format"}:
            walked[("data", 0, name), None] = None
    for kind, slot in SLOTS.items():
        for plugin in Catalogue.installed().names(kind):
            if owner(kind, plugin) == "luthier":
                options = slot_schema(kind, plugin)["properties"]
                walked |= {((*slot, n), plugin): None for n in options if n != "name"}
    assert set(walked) == {(path, slot and slot[1]) for path, _, slot in FIELDS}


def branches(schema):
    """Yield a schema and all that it is made of, references followed."""
    yield schema
    inner = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if "$ref" in schema:
        inner.append(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    for one in inner:
        yield from branches(one)


def dataset_schema():
    (found,) = [b for b in branches(SCHEMA["properties"]["data"]) if "properties" in b]
    return found


def owner(kind, plugin):
    return Catalogue.installed().find(kind, plugin).distribution


def slot_schema(kind, plugin):
    """Return the schema of a plugin that is chosen by a mapping."""
    *place, key = [step for step in SLOTS[kind] if step != 0]
    holder = SCHEMA
    if place == ["data"]:
        holder = dataset_schema()
    elif place:
        (holder,) = [b for b in branches(SCHEMA["properties"][place[0]]) if "properties" in b]
    slot = holder["properties"][key]
    found = [
        branch
        for branch in branches(slot.get("items", slot))
        if branch.get("properties", {}).get("name") == {"const": plugin}
    ]
    return found[0]


def field_schema(path, slot):
    """Return the schema of one field, complete with what it refers to."""
    if slot:
        (kind,) = [kind for kind, place in SLOTS.items() if place == slot[0]]
        own = slot_schema(kind, slot[1])
    elif path[0] == "data":
        own = dataset_schema()
    else:
        (own,) = [b for b in branches(SCHEMA["properties"][path[0]]) if "properties" in b]
    return {**own["properties"][path[-1]], "$defs": SCHEMA["$defs"]}


def misspellings(name):
    """Return a name with each of its ends doubled or dropped, and its middle doubled."""
    half = len(name) // 2
    found = [name + name[-1], name[0] + name, name[: half + 1] + name[half:]]
    return found + ([name[:-1], name[1:]] if len(name) > 2 else [])


@pytest.mark.parametrize(("path", "field", "slot"), TRIED, ids=IDS)
def test_a_misspelt_field_is_told_with_the_nearest(good, path, field, slot):
    beside = (other for other, _, chosen in FIELDS if chosen == slot)
    siblings = {other[-1] for other in beside if other[:-1] == path[:-1]}
    run = with_value(good, path, slot, None)
    holder = functools.reduce(lambda inner, step: inner[step], path[:-1], run)
    del holder[path[-1]]
    holder |= dict.fromkeys(misspellings(path[-1]), 1)
    found = problems_of(run)
    for misspelt in misspellings(path[-1]):
        assert misspelt not in siblings
        key = ".".join(map(str, (*path[:-1], misspelt)))
        (problem,) = [p for p in found if p.key == key]
        assert problem.problem == "unknown key"
        # `top_` is as near to `top_p` as to `top_k`
        meant = {path[-1], *(name for name in siblings if misspelt in misspellings(name))}
        assert problem.remedy.startswith(tuple(f"Did you mean {name!r}?" for name in meant))


# one value of each JSON type, and none that any field would take by chance
VALUES = ["no such \0 thing", -7, 0.123456, True, None, [[["x"]]], {"x": [["x"]]}]


@pytest.mark.parametrize(("path", "field", "slot"), TRIED, ids=IDS)
def test_a_mistyped_field_is_told_at_its_key(good, path, field, slot):
    key = ".".join(map(str, path))
    schema = Draft202012Validator(field_schema(path, slot))
    wrong = [value for value in VALUES if not schema.is_valid(value)]
    assert len(wrong) >= 3
    for value in wrong:
        if value is None and path == ("model", "path"):
            continue  # nothing stands for the built-in model, which the schema cannot know
        found = problems_of(with_value(good, path, slot, value))
        deeper = isinstance(value, list | dict)  # an item of it may be what is wrong
        told = [p for p in found if p.key == key or (deeper and p.key.startswith(f"{key}."))]
        assert told, (value, found)
        for problem in found:
            assert problem.remedy
            assert "pydantic" not in str(problem)


@pytest.mark.parametrize("key", [k for k in SCHEMA["properties"] if k != "extends"])
def test_a_key_at_the_top_is_told_where_it_is_misspelt_or_mistyped(good, key):
    told = {p.key: p for p in problems_of({**good, **dict.fromkeys(misspellings(key), "x")})}
    assert told.keys() == set(misspellings(key))
    for problem in told.values():
        assert problem.problem == "unknown key"
        assert problem.remedy.startswith(f"Did you mean {key!r}?")
    schema = Draft202012Validator({**SCHEMA["properties"][key], "$defs": SCHEMA["$defs"]})
    # the one key at the top that a number is right for
    for value in (-7, 1.5 if key == "validation" else 0.5, True, [[["x"]]]):
        assert not schema.is_valid(value)
        found = problems_of({**good, key: value})
        assert [p for p in found if p.key == key or p.key.startswith(f"{key}.")], (value, found)


def test_the_schema_is_a_json_schema_and_holds_every_installed_plugin():
    Draft202012Validator.check_schema(SCHEMA)
    text = json.dumps(SCHEMA)
    for kind in SLOTS:
        for name in Catalogue.installed().names(kind):
            assert f'"const": "{name}"' in text


def test_the_shipped_run_file_is_valid_by_the_schema(repository):
    shipped = YAML(typ="safe").load((repository / "examples/quickstart.yaml").read_text())
    assert list(Draft202012Validator(SCHEMA).iter_errors(shipped)) == []


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
