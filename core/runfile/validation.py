"""One validation, of luthier's sections and of a plugin's options alike, told as problems."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from luthier.core.problems import BadRunFile, Problem, described
from luthier.core.runfile.nodes import Node, dotted
from luthier.core.runfile.parsing import parse_scalar
from luthier.registry.errors import nearest

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

Model = TypeVar("Model", bound=BaseModel)
Steps: TypeAlias = tuple[str | int, ...]

_WORDS = {"yes": True, "on": True, "no": False, "off": False}
"""YAML 1.1 read these as true and false. YAML 1.2 does not; where true or false is wanted they
can mean nothing else."""


def validate(
    cls: type[Model],
    node: Node,
    path: Steps,
    problems: list[Problem],
    besides: Sequence[str] = (),
) -> Model | None:
    """Return `cls` made of the values at `node`; where that fails, add to `problems`.

    Values are taken strictly (a text is no number, `true` is no 1), as JSON gives them.

    Args:
        cls: a section, or a plugin's class.
        node: the mapping that holds the values.
        path: the key of that mapping in the run file.
        problems: what is wrong is added here.
        besides: keys that may stand in the mapping too, and were taken out of it before.
    """
    if node.value is not None and not isinstance(node.value, dict):
        found = described(node.value)
        remedy = f"Write its keys beneath it: {', '.join(cls.model_fields)}."
        problems.append(
            Problem(node.place, dotted(path), f"expected a mapping, found {found}", remedy)
        )
        return None
    try:
        return _made(cls, node)
    except ValidationError as fault:
        failed = fault
    if _put_words_right(node, failed):
        try:
            return _made(cls, node)
        except ValidationError as fault:
            failed = fault
    problems.extend(_problems(cls, node, path, failed, besides))
    return None


def sound_part(
    cls: type[Model], node: Node, path: Steps, problems: Sequence[Problem]
) -> Model | None:
    """Return `cls` made of those values of a mapping that no problem is told of, if that goes.

    Args:
        cls: a section.
        node: the mapping, as `validate` has seen it.
        path: the key of that mapping in the run file.
        problems: what `validate` and others have told.
    """
    start = f"{dotted(path)}."
    wrong = {
        p.key.removeprefix(start).partition(".")[0] for p in problems if p.key.startswith(start)
    }
    right = {key: value for key, value in node.mapping.items() if key not in wrong}
    return validate(cls, Node(right, node.place), path, [])


def _made(cls: type[Model], node: Node) -> Model:
    return cls.model_validate_json(json.dumps(node.plain() or {}), strict=True)


def _put_words_right(node: Node, fault: ValidationError) -> bool:
    changed = False
    for error in fault.errors():
        value = node.at(_steps_within(node, error))
        word = value.value.lower() if isinstance(value.value, str) else ""
        if error["type"] == "bool_type" and word in _WORDS:
            value.value = _WORDS[word]
            changed = True
    return changed


def _steps_within(node: Node, error: Any) -> Steps:
    """Return the part of pydantic's location that are keys of the file, not names of types."""
    loc = error["loc"]
    steps: list[str | int] = []
    for step in loc:
        if node.at((*steps, step)) is not node.at(tuple(steps)):
            steps.append(step)
    if error["type"] == "missing":
        steps.append(loc[-1])
    return tuple(steps)


def _problems(
    cls: type[BaseModel], node: Node, path: Steps, fault: ValidationError, besides: Sequence[str]
) -> Iterator[Problem]:
    """Yield a problem for each key; what the branches of a union say of it is told as one."""
    by_steps: dict[Steps, list[Any]] = {}
    for error in fault.errors():
        by_steps.setdefault(_steps_within(node, error), []).append(error)
    for steps, errors in by_steps.items():
        # one branch of a union refuses a list, another an item of it: the item is what is wrong
        if not any(other[: len(steps)] == steps != other for other in by_steps):
            yield _problem(cls, node, path, steps, errors, besides)


def _problem(
    cls: type[BaseModel],
    node: Node,
    path: Steps,
    steps: Steps,
    errors: list[Any],
    besides: Sequence[str],
) -> Problem:
    key = dotted((*path, *steps))
    types = {error["type"] for error in errors}
    value = node.at(steps)
    if "extra_forbidden" in types:
        holder = _model_at(cls, steps[:-1])
        known = [*(holder.model_fields if holder else ()), *(besides if len(steps) == 1 else ())]
        remedy = nearest(str(steps[-1]), known) + f"Known keys: {', '.join(known) or 'none'}."
        return Problem(value.key_place, key, "unknown key", remedy)
    if "missing" in types:
        remedy = f"Add `{steps[-1]}:`. {_meaning(cls, steps)}"
        return Problem(node.at(steps[:-1]).place, key, "this key is missing", remedy)
    if types & {"value_error", "assertion_error"}:
        # the plugin's own check: its message is a sentence about the value
        said = (
            str(errors[0]["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
        )
        remedy = "Change it. " + _leaving_out(cls, steps) + _meaning(cls, steps)
        return Problem(value.place, key, said, remedy.strip())
    wanted = " or ".join(dict.fromkeys(map(_expected, errors)))
    remedy = _hint(value, errors, wanted) + _leaving_out(cls, steps) + _meaning(cls, steps)
    said = f"expected {wanted}, found {described(value.value)}"
    return Problem(value.place, key, said, remedy.strip())


def _hint(value: Node, errors: list[Any], wanted: str) -> str:
    """Return what to write instead."""
    types = {error["type"] for error in errors}
    if isinstance(value.value, str):
        options = [
            option
            for error in errors
            if error["type"] in {"literal_error", "enum"}
            for option in _options_of(error)
        ]
        if options:
            return nearest(value.value, options) or f"Write {wanted}. "
        if types & {"int_type", "float_type"} and _is_number(value.value):
            return "Take the quotes away. "
        if types & {"list_type", "tuple_type"}:
            return f"Write it in brackets: [{value.value}]. "
    elif "string_type" in types and isinstance(value.value, int | float):
        return "Put it in quotes. "
    return f"Write {wanted}. "


def _is_number(text: str) -> bool:
    try:
        found = parse_scalar(text)
    except BadRunFile:
        return False
    return isinstance(found, int | float) and not isinstance(found, bool)


def _options_of(error: Any) -> list[str]:
    expected: str = error["ctx"]["expected"]
    return expected.replace("'", "").replace(" or ", ", ").split(", ")


def _field_of(cls: type[BaseModel], steps: Steps) -> FieldInfo | None:
    return cls.model_fields.get(str(steps[0])) if steps else None


def _model_at(cls: type[BaseModel], steps: Steps) -> type[BaseModel] | None:
    """Return the model that a mapping within a model is read as, or None where it is another."""
    found: type[BaseModel] | None = cls
    for step in steps:
        if isinstance(step, int) or found is None:
            continue
        field = found.model_fields.get(step)
        found = _model_in(field.annotation) if field else None
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _leaving_out(cls: type[BaseModel], steps: Steps) -> str:
    field = _field_of(cls, steps)
    if field is None or field.is_required() or len(steps) > 1:
        return ""
    default = field.get_default(call_default_factory=True)
    if default is None or default in ((), {}, ""):
        return "Or leave it out. "
    return f"Or leave it out for the default, {json.dumps(default, default=str)}. "


def _meaning(cls: type[BaseModel], steps: Steps) -> str:
    field = _field_of(cls, steps)
    return " ".join((field.description or "").split()) if field else ""


_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "path_type": "a path",
    "none_required": "nothing",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "multiple_of": "a multiple of {multiple_of}",
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
    "string_too_short": "a text of at least {min_length} characters",
    "string_too_long": "a text of at most {max_length} characters",
    "string_pattern_mismatch": "a text of the form {pattern}",
    "too_short": "at least {min_length} items",
    "too_long": "at most {max_length} items",
}


def _expected(error: Any) -> str:
    """Return what pydantic wanted, in a user's words."""
    if text := _EXPECTED.get(error["type"]):
        bounds = {key: _without_point(value) for key, value in error.get("ctx", {}).items()}
        return text.format(**bounds)
    said = str(error["msg"]).removeprefix("Input should be ")
    return said[:1].lower() + said[1:]


def _without_point(value: Any) -> Any:
    """Return 1.0 as 1, which is what a user would write."""
    whole = isinstance(value, float) and math.isfinite(value) and value.is_integer()
    return int(value) if whole else value
