"""Holding chat templates against expected texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from luthier.core.errors import BadData, TemplateError, UnknownPlugin
from luthier.core.templates.catalogue import load_template
from luthier.core.templates.template import ChatTemplate
from luthier.registry import Catalogue

SHOWN = 60
"""Characters that are shown on each side of a difference."""


class Difference(NamedTuple):
    """Something that is not what was expected."""

    case: str
    expected: str
    found: str
    tokens: tuple[str, str] = ("", "")
    """The tokens of both, from the first that differs."""

    def __str__(self) -> str:
        pairs = enumerate(zip(self.expected, self.found, strict=False))
        shorter = min(len(self.expected), len(self.found))
        at = next((n for n, (a, b) in pairs if a != b), shorter)
        around = slice(max(0, at - SHOWN), at + SHOWN)
        same = self.expected == self.found
        lines = [f"{self.case}: " + ("the ids differ" if same else f"differs at character {at}")]
        if not same:
            lines += [f"    expected      {self.expected[around]!r}"]
            lines += [f"    found         {self.found[around]!r}"]
        if any(self.tokens):
            lines += [f"    expected ids  {self.tokens[0]}", f"    found ids     {self.tokens[1]}"]
        return "\n".join(lines)


@dataclass
class Checked:
    """The outcome of a check."""

    passed: int = 0
    failed: list[Difference] = field(default_factory=list)
    noted: list[Difference] = field(default_factory=list)
    """What is not as one would have it, but is so in the authors' own template too."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """The cases that a template has no place for, or whose template is not there, and why."""

    @property
    def ok(self) -> bool:
        """Whether all passed, and at least one did."""
        return bool(self.passed) and not self.failed and not self.refused


def check_cases(file: Path) -> Checked:
    """Return how the templates render the cases of a file.

    Args:
        file: JSON lines; each has `template`, `messages` and `expected_text`, and may have `id`,
            `tools`, `add_generation_prompt`, `template_kwargs`, `extra_context`, `now`,
            `bos_token`, `eos_token`, and in `also_accepted` other right texts.

    Raises:
        BadData: the file cannot be read or holds no case, or a line is none.
    """
    checked, catalogue, number = Checked(), Catalogue.installed(), 0
    for number, case in _cases_of(file):
        name = str(case.get("id") or f"{file.name}:{number}")
        try:
            found = _rendered(load_template(case["template"], catalogue), case)
        except (TemplateError, UnknownPlugin) as fault:
            checked.refused.append((name, str(fault)))
            continue
        if found in (case["expected_text"], *(case.get("also_accepted") or ())):
            checked.passed += 1
        else:
            checked.failed.append(Difference(name, case["expected_text"], found))
    if not number:
        raise BadData(f"{file} holds no case. {_WRITTEN}")
    return checked


def _cases_of(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as fault:
        raise BadData(f"{file} cannot be read: {fault}") from fault
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            case = json.loads(line)
        except ValueError as fault:
            raise BadData(f"{file}:{number}: no JSON: {fault}") from fault
        if wrong := _fault_of(case):
            raise BadData(f"{file}:{number}: {wrong}")
        yield number, case


_NEEDED = ("expected_text", "messages", "template")
_TYPES = {
    "template": str, "messages": list, "expected_text": str, "tools": list, "template_kwargs": dict,
    "extra_context": dict, "also_accepted": list, "now": str, "bos_token": str, "eos_token": str,
}  # fmt: skip
_TYPE_NAMES = {str: "a text", list: "a list", dict: "an object"}
_OPTIONS = ("template_kwargs", "extra_context")
_NO_OPTIONS = frozenset(
    {"self", "messages", "tools", "generation_prompt", "add_generation_prompt", "bos_token",
     "eos_token", "now", "training"}
)  # fmt: skip
"""What a case has keys of its own for, or nothing at all."""
_WRITTEN = 'Write one in each line: {"template": "...", "messages": [...], "expected_text": "..."}.'


def _fault_of(case: Any) -> str | None:
    """Return why a line is no case, and what to write; None if it is one."""
    if not isinstance(case, dict):
        return f"this is no case but {case!r}. {_WRITTEN}"
    if missing := [key for key in _NEEDED if key not in case]:
        return f"the case has no {', '.join(missing)}. {_WRITTEN}"
    for key, type_ in _TYPES.items():
        value = case.get(key)
        if not isinstance(value, type_) and (value is not None or key in _NEEDED):
            return f"`{key}` is {value!r}; write {_TYPE_NAMES[type_]}."
    try:
        datetime.fromisoformat(case.get("now") or "2000-01-01")
    except ValueError:
        return f"`now` is {case['now']!r}, no moment; write it as 2026-07-01T12:00:00."
    for key in _OPTIONS:
        if taken := sorted(_NO_OPTIONS & set(case.get(key) or ())):
            return f"`{key}` holds {', '.join(taken)}, no option; write it as a key of the case."
    return None


def _rendered(template: ChatTemplate, case: Mapping[str, Any]) -> str:
    options = {**(case.get("template_kwargs") or {}), **(case.get("extra_context") or {})}
    return template.render(
        case["messages"],
        case.get("tools"),
        generation_prompt=bool(case.get("add_generation_prompt")),
        bos_token=case.get("bos_token"),
        eos_token=case.get("eos_token"),
        now=datetime.fromisoformat(case["now"]) if case.get("now") else None,
        **options,
    ).text
