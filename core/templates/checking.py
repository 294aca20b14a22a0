"""Holding a chat template against expected texts, and against a tokenizer's own template."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.errors import BadData, LuthierError, TemplateError, UnknownPlugin
from luthier.core.templates.catalogue import load_template
from luthier.core.templates.template import ChatTemplate
from luthier.registry import Catalogue

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SHOWN = 60
"""Characters that are shown on each side of a difference."""


class Difference(NamedTuple):
    """Something that is not what was expected."""

    case: str
    expected: str
    found: str

    def __str__(self) -> str:
        pairs = enumerate(zip(self.expected, self.found, strict=False))
        shorter = min(len(self.expected), len(self.found))
        at = next((n for n, (a, b) in pairs if a != b), shorter)
        around = slice(max(0, at - SHOWN), at + SHOWN)
        return (
            f"{self.case}: differs at character {at}\n"
            f"    expected  {self.expected[around]!r}\n"
            f"    found     {self.found[around]!r}"
        )


@dataclass
class Checked:
    """The outcome of a check."""

    passed: int = 0
    failed: list[Difference] = field(default_factory=list)
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
        BadData: the file cannot be read, or a line is no case.
    """
    checked, catalogue = Checked(), Catalogue.installed()
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
        missing = {"template", "messages", "expected_text"} - set(case)
        if missing:
            raise BadData(f"{file}:{number}: the case has no {', '.join(sorted(missing))}")
        yield number, case


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


CORPUS: dict[str, list[dict[str, Any]]] = {
    "a question": [{"role": "user", "content": "What is a luthier?"}],
    "an answer": [
        {"role": "user", "content": "What is a luthier?"},
        {"role": "assistant", "content": "One who makes string instruments."},
    ],
    "a system message": [
        {"role": "system", "content": "Answer in one line."},
        {"role": "user", "content": "What is a luthier?"},
    ],
    "two turns": [
        {"role": "user", "content": "  Hello \n"},
        {"role": "assistant", "content": "\nHow do you do? "},
        {"role": "user", "content": "Quelle heure est-il ? 几点了"},
        {"role": "assistant", "content": "Noon.\n\n- twelve"},
    ],
}
"""What a template is compared with a tokenizer's own on."""


def check_tokenizer(template: ChatTemplate, tokenizer: PreTrainedTokenizerBase) -> Checked:
    """Return how a template's ids differ from those of a tokenizer's own chat template.

    The conversations of `CORPUS` are rendered by both, with and without a generation prompt; and
    each prompt's ids have to be a prefix of the training ids, and each answer to end in a token
    that stops generation.

    Raises:
        TemplateError: the tokenizer has no chat template of its own.
    """
    if not tokenizer.chat_template:
        raise TemplateError("this tokenizer has no chat template of its own to compare with")
    checked = Checked()
    for name, messages in CORPUS.items():
        for prompt in (False, True):
            label = f"{name}, with a generation prompt" if prompt else name
            try:
                _compare(template, tokenizer, messages, prompt, label, checked)
            except LuthierError as fault:
                checked.refused.append((label, str(fault)))
        if messages[-1]["role"] == "assistant":
            _invariants(template, tokenizer, messages, name, checked)
    return checked


def _compare(
    template: ChatTemplate,
    tokenizer: PreTrainedTokenizerBase,
    messages: list[dict[str, Any]],
    prompt: bool,  # noqa: FBT001 - private
    label: str,
    checked: Checked,
) -> None:
    import jinja2

    try:
        expected: Any = tokenizer.apply_chat_template(
            messages, add_generation_prompt=prompt, tokenize=False
        )
    except (jinja2.TemplateError, ValueError):
        expected = None  # the authors refuse it
    try:
        found = template.render(
            messages, generation_prompt=prompt,
            bos_token=tokenizer.bos_token, eos_token=tokenizer.eos_token,
        ).text  # fmt: skip
    except TemplateError:
        found = None
    if found == expected:
        checked.passed += 1
    else:
        checked.failed.append(Difference(label, str(expected), str(found)))


def _invariants(
    template: ChatTemplate,
    tokenizer: PreTrainedTokenizerBase,
    messages: list[dict[str, Any]],
    label: str,
    checked: Checked,
) -> None:
    prompt = template.encode(messages[:-1], tokenizer, generation_prompt=True).ids
    whole = template.encode(messages, tokenizer)
    if whole.ids[: len(prompt)] == prompt:
        checked.passed += 1
    else:
        checked.failed.append(
            Difference(
                f"{label}: the prompt is no prefix of what is trained",
                str(tokenizer.decode(prompt)), str(tokenizer.decode(whole.ids)),
            )
        )  # fmt: skip
    trained = [i for i, counted in zip(whole.ids, whole.mask, strict=True) if counted]
    if trained and trained[-1] in template.stop_ids(tokenizer):
        checked.passed += 1
    else:
        said = str(tokenizer.decode(trained[-1:]))
        ends = " or ".join(map(repr, template.ends(tokenizer.eos_token)))
        checked.failed.append(Difference(f"{label}: the answer's end is not trained", ends, said))
