"""Chat templates that are somebody else's Jinja: what they render is cut where contents stand.

Such a template may print a special token and a content in one expression, so marks cannot tell them
apart. It is rendered twice: with the contents, which gives the text, and with a placeholder for
each of them, which gives the places where they stand in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from jinja2 import meta
from pydantic import Field

from luthier.core.errors import TemplateError
from luthier.core.templates.alignment import SAID, TOLD, TOOLS, Holder, Stretch, aligned, with_marks
from luthier.core.templates.marking import IGNORED, TRAINED, compiled, environment
from luthier.core.templates.messages import Message
from luthier.core.templates.pieces import Cut, Piece, cut
from luthier.core.templates.template import ChatTemplate, Thinking
from luthier.core.templates.tools import ToolStyle

_LOSS = re.compile(f"[{TRAINED}{IGNORED}]")
_GENERATION = re.compile(r"{%-?\s*generation\b")

_GIVEN = {
    "messages", "tools", "add_generation_prompt", "bos_token", "eos_token", "raise_exception",
    "strftime_now",
}  # fmt: skip
"""What every rendering is given; whatever else a template asks for is an option of it."""


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
        read: dict[str, Any] = {"options": dict.fromkeys(sorted(asked - _GIVEN))}
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
        text = self._text(**told)
        return _LOSS.sub("", text) if self._marks_loss else text

    # it looks for where contents stand itself, so it is rendered anew each time
    def _pieces(
        self, told: Mapping[str, Any], *, training: bool, eos_token: str | None
    ) -> list[Piece]:
        return self._rendered(told, training=training, eos_token=eos_token)

    def _cut(self, **variables: Any) -> Cut:
        messages, tools = variables.pop("messages"), variables.pop("tools")
        special = self.all_special_tokens(variables["bos_token"], variables["eos_token"])
        text = self._text(messages, tools, **variables)
        holder = Holder(special)
        shown = [holder.placeheld(message, SAID, n) for n, message in enumerate(messages)]
        offered = holder.placeheld(tools, TOLD, TOOLS)
        marked = self._text(shown, offered, **variables)
        stretches = list(aligned(marked, text, holder.held))
        spans = []
        if not self._marks_loss:
            starts = self._starts(text, stretches, messages, tools, **variables)
            spans = [(at, self._end(at, n, stretches, special)) for n, at in starts.items()]
        return cut(with_marks(stretches, spans), special)

    @property
    def _marks_loss(self) -> bool:
        return _GENERATION.search(self.source) is not None

    def _text(self, messages: Any, tools: Any, **rest: Any) -> str:
        return "".join(compiled(self.source, marking=False)(messages=messages, tools=tools, **rest))

    def _starts(
        self,
        text: str,
        stretches: Sequence[Stretch],
        messages: Sequence[Mapping[str, Any]],
        tools: Any,
        **rest: Any,
    ) -> dict[int, int]:
        """Return for each answer where it begins: behind what a prompt ends with."""
        starts: dict[int, int] = {}
        header: str | None = None
        for n, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            if header is None:
                header = self._header(messages[:n], tools, **rest)
            floor = max((s.end for s in stretches if _before(s, n)), default=0)
            floor = max(floor, *starts.values(), 0)
            own = next((s.at for s in stretches if s.message == n), None)
            at = -1
            if header:
                at = text.find(header, floor) if own is None else text.rfind(header, floor, own)
            prompt = None if header else self._prompt(messages[:n], tools, **rest)
            if at >= 0:
                starts[n] = at + len(header)
            elif prompt is not None and text.startswith(prompt):
                starts[n] = len(prompt)
            elif own is not None and (message["content"] or message.get("reasoning_content")):
                starts[n] = own  # what is printed before it depends on what follows
            else:
                raise TemplateError(
                    f"in what the chat template prints, nothing tells where message {n + 1}, an "
                    "answer, begins. Leave it out, or choose another template."
                )
        return starts

    def _header(self, messages: Any, tools: Any, **rest: Any) -> str:
        """Return what a prompt ends with, and its conversation without a prompt does not."""
        prompt = self._prompt(messages, tools, **rest) or ""
        try:
            before = self._text(messages, tools, **{**rest, "add_generation_prompt": False})
        except TemplateError:
            return ""
        return prompt.removeprefix(before) if prompt.startswith(before) else ""

    def _prompt(self, messages: Any, tools: Any, **rest: Any) -> str | None:
        """Return what an answer to some messages goes on from; None where that is refused."""
        try:
            return self._text(messages, tools, **{**rest, "add_generation_prompt": True})
        except TemplateError:
            return None

    def _end(
        self, start: int, message: int, stretches: Sequence[Stretch], special: tuple[str, ...]
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


def _before(stretch: Stretch, message: int) -> bool:
    """Whether a stretch is a content of the tools, or of a message before another."""
    return stretch.message is not None and stretch.message < message


def _asked(source: str) -> set[str]:
    try:
        return meta.find_undeclared_variables(environment(marking=False).parse(source))
    except jinja2.TemplateSyntaxError as fault:
        raise TemplateError(f"line {fault.lineno} of the template: {fault.message}") from None
