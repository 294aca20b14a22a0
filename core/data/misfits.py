"""What of a tool's call does not fit the tool: its arguments, held against a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from luthier.core.problems import shown

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,),
    "array": (list, tuple), "object": (dict,), "null": (type(None),),
}  # fmt: skip


def misreadings(parameters: Any) -> Iterator[str]:
    """Yield what of a tool's JSON Schema cannot be read, at its first level."""
    if not isinstance(parameters, Mapping | None):
        yield f"its `parameters` are {shown(parameters)}, no object"
        return
    told = parameters or {}
    known, required = told.get("properties"), told.get("required")
    if not isinstance(required, list | tuple | None) or not _are_names(required):
        yield f"`required` is {shown(required)}, no list of names"
    if not isinstance(known, Mapping | None):
        yield f"`properties` are {shown(known)}, no object"
        return
    for key, schema in (known or {}).items():
        if not isinstance(schema, Mapping | bool):
            yield f"{key!r} is {shown(schema)}, no schema"
        elif isinstance(schema, Mapping):
            yield from _misread(key, schema.get("type"), schema.get("enum"))


def _misread(key: str, kind: Any, values: Any) -> Iterator[str]:
    if not isinstance(kind, str | list | tuple | None) or not _are_names(kind):
        yield f"the type of {key!r} is {shown(kind)}, no name of a type and no list of names"
    if not isinstance(values, list | tuple | None):
        yield f"the `enum` of {key!r} is {shown(values)}, no list"


def _are_names(values: Any) -> bool:
    return all(isinstance(one, str) for one in values or ())


def misfits(arguments: Any, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield how the arguments of a call differ from a tool's JSON Schema, at its first level.

    Args:
        arguments: an object; a null in it stands for what is absent, as many write it.
        parameters: the schema, one that `misreadings` has nothing to say of.
    """
    if not isinstance(arguments, Mapping | None):
        yield f"its arguments are {shown(arguments)}, no object"
        return
    given = {key: value for key, value in (arguments or {}).items() if value is not None}
    known = parameters.get("properties") or {}
    closed = known and not parameters.get("additionalProperties")
    missing = [key for key in parameters.get("required") or () if key not in given]
    yield from (f"the argument {key!r} is missing" for key in missing)
    for key, value in given.items():
        if isinstance(known.get(key), Mapping):
            yield from _misfit(key, value, known[key])
        elif closed and key not in known:
            yield f"there is no argument {key!r}"


def _misfit(key: str, value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    wanted = schema.get("type") or []
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    if names and not any(_is_of(value, name) for name in names):
        wanted = " or ".join(names)
        yield f"the argument {key!r} is {shown(value)}, and is to be of type {wanted}"
    elif schema.get("enum") and value not in schema["enum"]:
        yield f"the argument {key!r} is {shown(value)}, none of {shown(schema['enum'])}"


def _is_of(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean" or name not in _TYPES
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(name, (object,)))
