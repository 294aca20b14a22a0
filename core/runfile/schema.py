"""The JSON Schema of run files, made from the sections and from every installed plugin's class."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BrokenPlugin
from luthier.core.kinds import Kind, kinds_of
from luthier.core.plugin import documentation_of
from luthier.core.runfile.choosing import LEFT_OUT
from luthier.core.runfile.templating import AUTO
from luthier.core.sections import SECTIONS, DatasetSection
from luthier.core.selection import plugin_of
from luthier.core.templates import ChatTemplate
from luthier.registry import Catalogue, Entry

if TYPE_CHECKING:
    from pydantic import BaseModel

DRAFT = "https://json-schema.org/draft/2020-12/schema"


NOTHING: dict[str, Any] = {"type": "null"}
"""A key with nothing behind it is silent, as one is whose lines are all commented out."""

PLAIN_KEYS: dict[str, Any] = {
    "extends": {
        "type": ["string", "null"],
        "description": "Another run file, whose values hold where this one is silent.",
    },
    "plugins": {
        "type": ["array", "string", "null"],
        "items": {"type": "string"},
        "description": "Python files beside this one that offer plugins.",
    },
    "output": {
        "type": ["string", "null"],
        "description": "The run folder, found from where the command is given.",
    },
}
"""The keys at the top of a run file that hold neither a section nor a plugin."""


def run_file_schema(catalogue: Catalogue | None = None) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a run file.

    Args:
        catalogue: the plugins there are; the installed ones where it is None.
    """
    there = catalogue or Catalogue.installed()
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = dict(PLAIN_KEYS)
    for key, section in SECTIONS.items():
        properties[key] = {**_of(section, key, definitions), "type": ["object", "null"]}
    dataset = _of(DatasetSection, "data", definitions)
    # a model that is not named is the default one
    properties["model"].pop("required", None)
    _allow_nothing(properties["model"]["properties"]["path"])
    holders = {"run": properties, "data": dataset["properties"],
               "model": properties["model"]["properties"]}  # fmt: skip
    for kind in kinds_of(there).values():
        if kind.key is not None:
            holders[kind.place][kind.key] = _slot(kind, there, definitions)
    properties["model"] = {"anyOf": [{"type": "string"}, properties["model"]]}
    item = {"anyOf": [{"type": "string"}, dataset]}
    properties["data"] = {
        "description": "The datasets that the run trains on, one after the other.",
        "anyOf": [{"type": "array", "items": item, "minItems": 1}, *item["anyOf"]],
    }
    properties["validation"] = _validation(item)
    return {
        "$schema": DRAFT,
        "title": "luthier run file",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _validation(dataset: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what a model is evaluated on: rows held out, one dataset, or several."""
    named = {
        "type": "object",
        "minProperties": 1,
        "properties": {"path": False},  # with a path it is one dataset, not several by name
        "additionalProperties": dataset,
    }
    return {
        "description": "What the model is evaluated on while it trains: a share or a number of the "
        "training rows, which are held out of them; a dataset; or several by name.",
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            {"type": "integer", "minimum": 1},
            *dataset["anyOf"],
            named,
            NOTHING,
        ],
    }


def _slot(kind: Kind, catalogue: Catalogue, definitions: dict[str, Any]) -> dict[str, Any]:
    entries = [entry for entry in catalogue if entry.kind == kind.name]
    counts = Counter(entry.name for entry in entries)
    # a name of two owners is chosen with its distribution before it, and not without
    named = {(e.name if counts[e.name] == 1 else f"{e.distribution}:{e.name}"): e for e in entries}
    choices = [_choice(name, entry, definitions) for name, entry in named.items()]
    if kind.name == "templates":
        named[AUTO] = Entry(kind.name, AUTO, "", "luthier", "", ChatTemplate)
        choices += [_choice(AUTO, named[AUTO], definitions), *_own_templates(definitions)]
    one: dict[str, Any] = {"oneOf": [{"enum": list(named)}, *filter(None, choices)]}
    described = {"description": kind.summary}
    if kind.many:
        one["oneOf"].append({
            "enum": [f"{LEFT_OUT}{name}" for name in named],
            "description": "Do without a default of that name.",
        })  # fmt: skip
        return {"type": ["array", "null"], "items": one, **described}
    return {"oneOf": [*one["oneOf"], NOTHING], **described}


def _choice(name: str, entry: Entry, definitions: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of `{name: NAME, options}`, or None for a plugin that cannot be read."""
    try:
        value = plugin_of(entry)
    except BrokenPlugin:
        return None
    if isinstance(value, type) and name != AUTO:
        schema = _of(value, f"{entry.kind}.{name}", definitions)
    else:
        # many an instance may be of one class, and holds a value for every field
        cls = value if isinstance(value, type) else type(value)
        schema = _shared(cls, f"{entry.kind}.{cls.__module__}.{cls.__name__}", definitions)
    schema["title"] = f"{entry.kind}/{name}"
    about = documentation_of(value, entry.target.partition(":")[0])
    schema["description"] = about.strip().partition("\n")[0]
    schema["properties"] = {"name": {"const": name}, **schema.get("properties", {})}
    schema["required"] = ["name", *schema.get("required", [])]
    return schema


def _own_templates(definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schemas of a template that the run file itself tells: slots, or a Jinja's path."""
    cls = ChatTemplate
    schema = _shared(cls, f"templates.{cls.__module__}.{cls.__name__}", definitions)
    described = {"title": "templates/own", "description": "A template of the run file's own."}
    return [{**schema, **described, "minProperties": 1}, {"type": "string", "pattern": "\\.jinja$"}]


def _shared(cls: type[BaseModel], owner: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a class whose fields stand once among the definitions."""
    if owner not in definitions:
        definitions[owner] = _of(cls, owner, definitions)
    fields = definitions[owner].get("properties", {})
    references = {name: {"$ref": f"#/$defs/{owner}/properties/{name}"} for name in fields}
    return {"type": "object", "properties": references, "additionalProperties": False}


def _of(cls: type[BaseModel], owner: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a class, its definitions moved to those of the whole file.

    Two plugins may each define an `Options`, so a definition bears the name of its owner.
    """
    schema = cls.model_json_schema(ref_template=f"#/$defs/{owner}.{{model}}")
    for name, definition in schema.pop("$defs", {}).items():
        definitions[f"{owner}.{name}"] = definition
    return schema


def _allow_nothing(schema: dict[str, Any]) -> None:
    schema["type"] = [schema["type"], "null"]
