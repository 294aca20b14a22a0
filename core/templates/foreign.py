"""Chat templates that are somebody else's Jinja: what they render is cut where contents stand.

Such a template may print a special token and a content in one expression, so marks cannot tell them
apart. It is rendered twice: with the contents, which gives the text, and with a placeholder for
each of them, which gives the places where they stand in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
from jinja2 import meta
from pydantic import Field

from luthier.core.errors import TemplateError
from luthier.core.templates.marking import CONTENT, IGNORED, LITERAL, TRAINED, compiled, environment
from luthier.core.templates.messages import Message
from luthier.core.templates.pieces import Cut, cut
from luthier.core.templates.template import ChatTemplate, Thinking
from luthier.core.templates.tools import ToolStyle

BEGIN, END = "\ufdd5", "\ufdd6"
"""What a placeholder begins and ends with: noncharacters, which no template looks for."""
_PLACEHOLDER = re.compile(f"{BEGIN}([0-9]+){END}")
_LOSS = re.compile(f"[{TRAINED}{IGNORED}]")

_TOLD = {
    "messages", "tools", "add_generation_prompt", "bos_token", "eos_token", "raise_exception",
    "strftime_now",
}  # fmt: skip
"""What every rendering is given; whatever else a template asks for is an option of it."""


class _Held(NamedTuple):
    """A text that a placeholder stands for."""

    text: str
    message: int
    """The number of its message, or `TOOLS`."""


class _Stretch(NamedTuple):
    """A stretch of the rendered text."""

    text: str
    at: int
    """Where it begins."""
    message: int | None
    """The message that it is a content of, or `TOOLS`; None for the template's own text."""

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.at + len(self.text)


class JinjaTemplate(ChatTemplate):
    """A chat format that is told by a Jinja chat template, as models bring it.

    Where the Jinja marks what is trained with `{% generation %}`, that is what is trained;
    elsewhere an answer is, from where the prompt ends to the token that ends the answer.
    """

    source: str
    """The Jinja chat template."""
    tools: ToolStyle | None = None
    """How calls are read; None where the template's text does not tell."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Values of the template's own variables; it has those that its text asks for."""

    @classmethod
    def of(cls, source: str, **facts: Any) -> JinjaTemplate:
        """Return the template of a Jinja text; what the text tells of its marks is read from it.

        Args:
            source: the Jinja.
            facts: what is known of it otherwise: see the fields of a ChatTemplate.

        Raises:
            TemplateError: it is no Jinja.
        """
        asked = _asked(source)
        read: dict[str, Any] = {"options": dict.fromkeys(sorted(asked - _TOLD))}
        if "tools" in asked:
            # the one style that templates of others share; what is no call stays content
            read["tools"] = ToolStyle(open="<tool_call>", close="</tool_call>")
        if "</think>" in source:
            read["thinking"] = Thinking(kept="after-question")
        options = {**read["options"], **facts.pop("options", {})}
        return cls(**{**read, **facts, "source": source, "options": options})

    def text(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None = None,
        *,
        generation_prompt: bool = False,
        **how: Any,
    ) -> str:
        """Return the text alone, without telling whose it is; tools that it has no place for go.

        Args:
            messages: see `render`.
            tools: see `render`.
            generation_prompt: see `render`.
            how: what else `render` takes.

        Raises:
            TemplateError: the template refuses it.
        """
        given = {"now": None, "bos_token": None, "eos_token": None, **how}
        told = self._told(messages, tools, add_generation_prompt=generation_prompt, **given)
        return _LOSS.sub("", self._text(**told))

    def _cut(self, **variables: Any) -> Cut:
        messages, tools = variables.pop("messages"), variables.pop("tools")
        rest = variables
        text = self._text(messages, tools, **rest)
        held: list[_Held] = []
        shown = [_placeheld(message, _SAID, n, held) for n, message in enumerate(messages)]
        offered = _placeheld(tools, ("description",), TOOLS, held)
        stretches = list(_aligned(self._text(shown, offered, **rest), text, held))
        special = self._special_tokens(rest["bos_token"], rest["eos_token"])
        if _LOSS.search(text):
            spans = []
        else:
            starts = self._starts(text, stretches, messages, tools, **rest)
            spans = [(at, self._end(at, n, stretches, special)) for n, at in starts.items()]
        return cut(_with_marks(stretches, spans), special)

    def _text(self, messages: Any, tools: Any, **rest: Any) -> str:
        return "".join(compiled(self.source, marking=False)(messages=messages, tools=tools, **rest))

    def _starts(
        self,
        text: str,
        stretches: Sequence[_Stretch],
        messages: Sequence[Mapping[str, Any]],
        tools: Any,
        **rest: Any,
    ) -> dict[int, int]:
        """Return for each answer where it begins: where the prompt before it ends."""
        starts = {}
        for n, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            prompt = self._prompt(messages[:n], tools, **rest)
            own = next((s.at for s in stretches if s.message == n), None)
            if prompt is not None and text.startswith(prompt):
                starts[n] = len(prompt)
            elif own is not None:
                starts[n] = own  # what is printed before it depends on what follows
            else:
                raise TemplateError(f"the chat template prints nothing of message {n + 1}")
        return starts

    def _prompt(self, messages: Any, tools: Any, **rest: Any) -> str | None:
        """Return what an answer to some messages goes on from; None where that is refused."""
        try:
            return self._text(messages, tools, **{**rest, "add_generation_prompt": True})
        except TemplateError:
            return None

    def _end(
        self, start: int, message: int, stretches: Sequence[_Stretch], special: tuple[str, ...]
    ) -> int:
        """Return where an answer ends: after the first stop token behind its own contents."""
        said = max((s.end for s in stretches if s.message == message), default=start)
        stops = [re.escape(stop) for stop in self.ends() if stop in special]
        for stretch in stretches:
            if stretch.end <= said:
                continue
            if stretch.message is not None or not stops:
                break
            found = re.compile("|".join(stops)).search(stretch.text, max(0, said - stretch.at))
            if found:
                return stretch.at + found.end()
        return said


_SAID = ("content", "reasoning_content", "arguments")
"""The keys of a message whose texts are held by placeholders, however deep."""
TOOLS = -1
"""The number of the message that tools are counted to."""


def _placeheld(
    value: Any, keys: Sequence[str], message: int, held: list[_Held], *, within: bool = False
) -> Any:
    """Return a value with a placeholder for each text beneath the keys; empty ones stay."""
    if isinstance(value, str):
        if not within or not value.strip():
            return value
        held.append(_Held(value, message))
        return f"{BEGIN}{len(held) - 1}{END}"
    if isinstance(value, Mapping):
        return {
            key: _placeheld(one, keys, message, held, within=within or key in keys)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_placeheld(one, keys, message, held, within=within) for one in value]
    return value


def _aligned(marked: str, text: str, held: Sequence[_Held]) -> Iterator[_Stretch]:
    """Yield the stretches of a text, by the placeholders that stand in the same text for contents.

    Raises:
        TemplateError: the two are not the same text but for the contents.
    """
    parts = _PLACEHOLDER.split(marked)
    at = 0
    for literal, number, following in zip(
        parts[::2], [*parts[1::2], None], [*parts[2::2], ""], strict=True
    ):
        if not text.startswith(literal, at):
            raise TemplateError(_ALTERED)
        if literal:
            yield _Stretch(literal, at, None)
        at += len(literal)
        if number is None:
            break
        one = held[int(number)]
        content = next((w for w in _writings(one.text) if text.startswith(w + following, at)), None)
        if content is None:
            raise TemplateError(_ALTERED)
        if content:
            yield _Stretch(content, at, one.message)
        at += len(content)
    if at != len(text):
        raise TemplateError(_ALTERED)


_ALTERED = (
    "this chat template alters what the conversation says, so it cannot be told which of its text "
    "is whose. Choose one that `luthier template list` lists."
)


def _writings(text: str) -> Iterator[str]:
    """Yield how a template may write a content without altering what it says."""
    yield text
    yield from (text.strip(), text.lstrip(), text.rstrip(), text.strip("\n"), text.lstrip("\n"))
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield json.dumps(text)[1:-1]
    yield repr(text)[1:-1]


def _with_marks(stretches: Sequence[_Stretch], spans: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield stretches as marked text, with the marks of the loss around spans of the text."""
    marks = [
        mark for start, end in spans if start < end for mark in ((start, TRAINED), (end, IGNORED))
    ]
    for text, at, message in stretches:
        done = 0
        while marks and marks[0][0] < at + len(text):
            place, mark = marks.pop(0)
            yield _own(text[done : place - at], message)
            yield mark
            done = place - at
        yield _own(text[done:], message)
    yield from (mark for _, mark in marks)


def _own(text: str, message: int | None) -> str:
    return text if message is None or not text else f"{CONTENT}{text}{LITERAL}"


def _asked(source: str) -> set[str]:
    try:
        return meta.find_undeclared_variables(environment(marking=False).parse(source))
    except jinja2.TemplateSyntaxError as fault:
        raise TemplateError(f"line {fault.lineno} of the template: {fault.message}") from None
