"""The options of a chat template: which it has, and how they are set in its Jinja."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.core.errors import TemplateError
from luthier.registry.errors import nearest

SYSTEM = "system"
"""The option that every template has."""
PREPEND = "prepend"
"""Its value that folds the system message into the first question."""

_PREPENDED = """\
{%- if messages and messages[0]['role'] == 'system' and messages[1:] -%}
{%- set told = messages[0]['content'] ~ '\\n\\n' if messages[0]['content'] else '' -%}
{%- set asked = dict(messages[1], content=told ~ messages[1]['content']) -%}
{%- set messages = [asked] + messages[2:] -%}
{%- endif -%}
"""


def chosen(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are set, those given over a template's own.

    Args:
        own: what a template has; None stands for one that is not set.
        given: what is asked for.

    Raises:
        TemplateError: the template has no such option, or `system` is given another value.
    """
    if given.get(SYSTEM) not in (None, PREPEND):
        raise TemplateError(
            f"the option `system` is {given[SYSTEM]!r}; it can be {PREPEND!r}, which folds the "
            "system message into the first question, or left out"
        )
    for name in given:
        if name not in own and name != SYSTEM:
            has = ", ".join([*own, SYSTEM])
            raise TemplateError(
                f"this chat template has no option {name!r}. "
                f"{nearest(name, [*own, SYSTEM])}Its options: {has}."
            )
    return {name: value for name, value in {**own, **given}.items() if value is not None}


def as_defaults(options: Mapping[str, Any]) -> str:
    """Return the Jinja that sets options where a caller does not, or to None as libraries do."""
    lines = [
        f"{{%- if {name} is not defined or {name} is none -%}}"
        f"{{%- set {name} = {_literal(value)} -%}}{{%- endif -%}}\n"
        for name, value in options.items()
        if name != SYSTEM
    ]
    return "".join([_PREPENDED] if options.get(SYSTEM) == PREPEND else []) + "".join(lines)


def _literal(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
