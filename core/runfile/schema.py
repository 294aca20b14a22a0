"""The JSON Schema of run files, made from the sections and from every installed plugin's class."""

from __future__ import annotations

from typing import Any

from luthier.core.errors import AmbiguousPlugin, BrokenPlugin
from luthier.core.kinds import Kind, kinds_of
from luthier.core.plugin import Plugin, documentation_of
from luthier.core.runfile.resolving import AUTO
from luthier.core.sections import SECTIONS, DatasetSection
from luthier.core.selection import plugin_of
from luthier.registry import Catalogue

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def run_file_schema(catalogue: Catalogue | None = None) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a run file.

    Args:
        catalogue: the plugins there are; the installed ones where it is None.
    """
    there = catalogue or Catalogue.installed()
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {
        "extends": {
            "type": "string",
            "description": "Another run file, whose values hold where this one is silent.",
        },
        "plugins": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Python files beside this one that offer plugins.",
        },
        "output": {
            "type": "string",
            "description": "The run folder, found from where the command is given.",
        },
    }
    for key, section in SECTIONS.items():
        properties[key] = _lifted(section.model_json_schema(), definitions)
    dataset = _lifted(DatasetSection.model_json_schema(), definitions)
    for kind in kinds_of(there).values():
        if kind.key is None:
            continue
        slot = _slot(kind, there, definitions)
        if kind.place == "run":
            properties[kind.key] = slot
        elif kind.place == "data":
            dataset["properties"][kind.key] = slot
        else:
            properties["model"]["properties"][kind.key] = slot
    properties["model"] = {"anyOf": [{"type": "string"}, properties["model"]]}
    item = {"anyOf": [{"type": "string"}, dataset]}
    properties["data"] = {
        "description": "The datasets that the run trains on, one after the other.",
        "anyOf": [{"type": "array", "items": item, "minItems": 1}, *item["anyOf"]],
    }
    return {
        "$schema": DRAFT,
        "title": "luthier run file",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _slot(kind: Kind, catalogue: Catalogue, definitions: dict[str, Any]) -> dict[str, Any]:
    names = catalogue.names(kind.name)
    choices = [_choice(kind.name, name, catalogue, definitions) for name in names]
    listed = [*names, AUTO] if kind.name == "templates" else names
    one: dict[str, Any] = {"oneOf": [{"enum": listed}, *(c for c in choices if c is not None)]}
    described = {"description": kind.summary}
    if kind.many:
        return {"type": "array", "items": one, **described}
    return {**one, **described}


def _choice(
    kind: str, name: str, catalogue: Catalogue, definitions: dict[str, Any]
) -> dict[str, Any] | None:
    """Return the schema of `{name: NAME, options}`, or None for a plugin that cannot be read."""
    try:
        entry = catalogue.find(kind, name)
        value = plugin_of(entry)
    except (BrokenPlugin, AmbiguousPlugin):
        return None
    cls = value if isinstance(value, type) else type(value)
    schema = _lifted(cls.model_json_schema(), definitions)
    module = entry.target.partition(":")[0]
    if isinstance(value, Plugin):
        schema.pop("required", None)  # the instance holds a value for every field
    schema["title"] = f"{kind}/{name}"
    schema["description"] = documentation_of(value, module).strip().partition("\n")[0]
    named = {"name": {"const": name}}
    schema["properties"] = {**named, **schema.get("properties", {})}
    schema["required"] = ["name", *schema.get("required", [])]
    return schema


def _lifted(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a schema, its definitions moved to those of the whole file."""
    definitions.update(schema.pop("$defs", {}))
    return schema
