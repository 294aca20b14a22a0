"""One validation, of luthier's sections and of a plugin's options alike, told as problems."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from luthier.core.problems import Problem
from luthier.core.runfile.nodes import Node, dotted
from luthier.registry.errors import nearest

Model = TypeVar("Model", bound=BaseModel)

_WORDS = {"yes": True, "on": True, "no": False, "off": False}
"""YAML 1.1 read these as true and false. YAML 1.2 does not; where true or false is wanted they
can mean nothing else."""


def validate(
    cls: type[Model], node: Node, path: tuple[str | int, ...], problems: list[Problem]
) -> Model | None:
    """Return `cls` made of the values at `node`; where that fails, add to `problems`.

    Values are taken strictly (a text is no number, `true` is no 1), as JSON gives them.

    Args:
        cls: a section, or a plugin's class.
        node: the mapping that holds the values.
        path: the key of that mapping in the run file.
        problems: what is wrong is added here.
    """
    if node.value is not None and not isinstance(node.value, dict):
        found = described(node.value)
        remedy = f"Write its keys beneath it: {', '.join(cls.model_fields)}."
        problems.append(
            Problem(node.place, dotted(path), f"expected a mapping, found {found}", remedy)
        )
        return None
    data = node.plain() or {}
    try:
        return cls.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as fault:
        if _put_words_right(data, fault):
            try:
                return cls.model_validate_json(json.dumps(data), strict=True)
            except ValidationError as rest:
                fault = rest
        problems.extend(_problem(cls, node, path, error) for error in fault.errors())
        return None


def _put_words_right(data: Any, fault: ValidationError) -> bool:
    changed = False
    for error in fault.errors():
        word = error["input"]
        if error["type"] == "bool_type" and isinstance(word, str) and word.lower() in _WORDS:
            holder = data
            for step in error["loc"][:-1]:
                holder = holder[step]
            holder[error["loc"][-1]] = _WORDS[word.lower()]
            changed = True
    return changed


def _problem(cls: type[BaseModel], node: Node, path: tuple[str | int, ...], error: Any) -> Problem:
    steps = _steps_within(node, error["loc"])
    key = dotted((*path, *steps))
    if error["type"] == "extra_forbidden" and len(steps) == 1:
        # an index of a list has no key of its own, so its value's place is the place
        at = node.at(steps)
        remedy = nearest(str(steps[-1]), cls.model_fields)
        remedy += f"Known keys: {', '.join(cls.model_fields) or 'none'}."
        return Problem(at.key_place, key, "unknown key", remedy)
    if error["type"] == "missing":
        remedy = f"Add `{steps[-1]}:`. {_meaning(cls, steps)}"
        return Problem(node.at(steps[:-1]).place, key, "this key is missing", remedy)
    value = node.at(steps)
    said = _expected(error)
    found = described(value.value)
    remedy = _meaning(cls, steps)
    if error["type"] == "literal_error" and isinstance(value.value, str):
        options = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        remedy = nearest(value.value, options) + remedy
    return Problem(value.place, key, f"expected {said}, found {found}", remedy)


def _steps_within(node: Node, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the part of pydantic's location that are keys of the file, not names of types."""
    steps: list[str | int] = []
    for n, step in enumerate(loc):
        is_key = node.at((*steps, step)) is not node.at(tuple(steps))
        if (
            is_key
            or n == 0
            or (n == len(loc) - 1 and isinstance(node.at(tuple(steps)).value, dict))
        ):
            steps.append(step)
    return tuple(steps)


def _meaning(cls: type[BaseModel], steps: tuple[str | int, ...]) -> str:
    field = cls.model_fields.get(str(steps[0])) if steps else None
    if field is None:
        return "Look at `luthier schema` for what may stand here."
    meaning = " ".join((field.description or "").split())
    default = field.get_default(call_default_factory=True) if not field.is_required() else None
    if default is None or default in ((), {}):
        return meaning
    return f"{meaning} The default is {json.dumps(default, default=str)}."


_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text (in quotes, where it looks like a number)",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "literal_error": "one of {expected}",
    "string_too_short": "a text of at least {min_length} characters",
    "too_short": "at least {min_length} items",
}


def _expected(error: Any) -> str:
    """Return what pydantic wanted, in a user's words."""
    if text := _EXPECTED.get(error["type"]):
        return text.format(**error.get("ctx", {}))
    said = str(error["msg"]).removeprefix("Value error, ")
    return said[:1].lower() + said[1:]


def described(value: Any) -> str:
    """Return a value as a message shows it: what it is, then itself."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"the text {value!r}"
    return json.dumps(value)
