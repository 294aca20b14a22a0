"""A chat template: facts, or a Jinja source, and one object that renders, encodes and reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from luthier.core.errors import TemplateError
from luthier.core.plugin import Plugin
from luthier.core.templates.encoding import Encoded, encoded
from luthier.core.templates.marking import Marked, compiled
from luthier.core.templates.messages import Message, folded, plain_all, tools_of
from luthier.core.templates.moulds import moulds_of
from luthier.core.templates.options import PREPEND, SYSTEM, as_defaults, chosen
from luthier.core.templates.pieces import Cut, Piece, Rendered, cut, with_stops
from luthier.core.templates.reading import Reader, Reply
from luthier.core.templates.source import source_of
from luthier.core.templates.tokenizing import known_id, special_id
from luthier.core.templates.tools import TableSeven, ToolStyle

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Role = Literal["system", "user", "assistant", "tool"]

EOS = "{{ eos_token }}"


class Thinking(BaseModel):
    """Where a model writes its thoughts."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    open: str = "<think>"
    """What the thoughts begin with."""
    close: str = "</think>"
    """What they end with."""
    prompted: bool = False
    """Whether the generation prompt holds what they begin with, so that the answer does not."""
    kept: Literal["all", "after-question", "last", "none"] = "after-question"
    """Which turns keep their thoughts when a conversation is rendered: all, those after the last
    question, the last alone, or none. Where not all do, a turn does not extend the one before."""


class ChatTemplate(Plugin):
    r"""A chat format.

    Its slots are Jinja texts: `{{ content }}` is the message's content, `{{ bos_token }}` and
    `{{ eos_token }}` are the tokens. A format that slots cannot tell gives its own `source`. What
    of the text is a special token is said once, in `special_tokens`; everything else, and all that
    an expression prints, is ordinary text.
    """

    special_tokens: tuple[str, ...] = ()
    """The special tokens that occur in the texts below."""
    bos_token: str = ""
    """What `{{ bos_token }}` prints."""
    eos_token: str = ""
    """What `{{ eos_token }}` prints."""
    stops: tuple[str, ...] = ()
    """What ends an answer, the usual first: special tokens, or texts at which generation stops.
    `{{ eos_token }}` stands for the tokenizer's."""
    begin: str = ""
    """What the whole text begins with."""
    system: str | None = None
    """A system message; None where the format has none."""
    refuses_system: bool = True
    """Whether a system message is an error where the format has none, or is left out."""
    default_system: str | None = None
    """The system prompt where the conversation has none; None for no system message."""
    user: str = "{{ content }}"
    """A user's message. Where the format has no system message, `system` is the system prompt, or
    none, which some print within a question."""
    answer_prefix: str = ""
    """What stands before an answer: the end of the prompt that the model goes on from."""
    answer: str = "{{ content }}"
    """An answer; it is trained. With `thinking`, `thinking` is what was thought (an empty text for
    nothing), `content` is the rest, and the answer follows the last question where
    `loop.index0 > last_question`."""
    answer_end: str = ""
    """What ends an answer. It is trained, and generation stops at it."""
    answer_suffix: str = ""
    """What stands between an answer and the next message; it is not trained."""
    finish: str = ""
    """What the whole text ends with, unless it ends where the model goes on."""
    prompt: str | None = None
    """What the model goes on from, where that is not `answer_prefix`."""
    alternate: bool = False
    """Whether user and assistant have to alternate."""
    strip: frozenset[Role] = frozenset()
    """The roles whose contents lose the white space at both ends."""
    tools: ToolStyle | None = Field(default_factory=TableSeven)
    """How tools are written; None where the format has no place for them."""
    thinking: Thinking | None = None
    """Where thoughts are written; None for a model that writes none apart."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The template's own options and their values; None is an option that is not given."""
    source: str | None = None
    """A Jinja chat template with `{% generation %}` around what is trained, instead of slots."""

    def render(  # noqa: PLR0913 (the field's own parameters, by name)
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None = None,
        *,
        generation_prompt: bool = False,
        bos_token: str | None = None,
        eos_token: str | None = None,
        now: datetime | None = None,
        training: bool = False,
        **options: Any,
    ) -> Rendered:
        """Return the pieces of a conversation.

        Args:
            messages: in OpenAI's form: `role`, `content`, `tool_calls`, `reasoning_content`, `name`
                and `tool_call_id`; calls may be a JSON text, as in standardized rows.
            tools: function tools, in OpenAI's form.
            generation_prompt: end with what the model goes on from.
            bos_token: the tokenizer's, where it is not the template's own.
            eos_token: likewise.
            now: the moment that a template prints; the present one, if None.
            training: end a final answer with its end token where the authors' text has none.
            options: the template's own options; and `system="prepend"`, with any template, folds
                the system message into the first question.

        Raises:
            TemplateError: the format has no place for a role, an order of roles or a tool, or has
                no such option.
        """
        if tools and self.tools is None:
            raise TemplateError("this chat template has no place for tools; leave them out")
        told = self._told(
            messages, tools, add_generation_prompt=generation_prompt, now=now,
            bos_token=bos_token, eos_token=eos_token, **options,
        )  # fmt: skip
        return Rendered(tuple(self._pieces(told, training=training, eos_token=eos_token)))

    def encode(
        self,
        messages: Sequence[Message],
        tokenizer: PreTrainedTokenizerBase,
        tools: Sequence[Mapping[str, Any]] | None = None,
        *,
        generation_prompt: bool = False,
        **options: Any,
    ) -> Encoded:
        """Return the token ids of a conversation and which of them the loss counts.

        Args:
            messages: see `render`; a final answer is ended by its end token.
            tokenizer: what gives the ids, and the texts of BOS and EOS where it has them.
            tools: see `render`.
            generation_prompt: see `render`.
            options: what else `render` takes.

        Raises:
            TemplateError: what `render` raises, or the tokenizer lacks a special token.
        """
        rendered = self.render(
            messages, tools, generation_prompt=generation_prompt, training=True,
            **{**self.ends_of(tokenizer), **options},
        )  # fmt: skip
        return encoded([rendered.pieces], tokenizer, self.all_special_tokens())[0]

    def jinja(self, **options: Any) -> str:
        """Return the format as a Jinja chat template of transformers, with loss marks.

        Args:
            options: options of the template that are to be its defaults from now on.
        """
        return as_defaults(chosen(self.options, options)) + self._source

    def stop_ids(self, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        """Return the ids at which generation has to stop: the ends of an answer, and the EOS."""
        eos = tokenizer.eos_token
        special = [t for t in self.ends(eos) if t in self.all_special_tokens(None, eos)]
        ids = [special_id(token, tokenizer) for token in special[:1]]
        ids += [found for token in special[1:] if (found := known_id(token, tokenizer)) is not None]
        if tokenizer.eos_token_id is not None:
            ids.append(int(tokenizer.eos_token_id))
        return list(dict.fromkeys(ids))

    def ends(self, eos_token: str | None = None) -> tuple[str, ...]:
        """Return `stops`, with the text of the tokenizer's EOS (or the template's own) in it."""
        eos = eos_token or self.eos_token
        return tuple(filter(None, (eos if s == EOS else s for s in self.stops)))

    def derived(self, **facts: Any) -> Self:
        """Return a template that differs in some facts.

        Raises:
            ValidationError: pydantic's, for what is no fact of a template.
        """
        own = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**own, **facts})

    def parse(self, text: str, *, prompt: str | None = None) -> Reply:
        """Return the content, the thoughts and the tool calls of what a model wrote.

        Whatever cannot be read is content; nothing raises.

        Args:
            text: the answer, without the token that ended it.
            prompt: what the answer goes on from, which tells whether thoughts have begun; if None,
                they have where the template's usual prompt begins them.
        """
        reader = self.reader(prompt=prompt)
        return reader.replied([*reader.feed(text), *reader.finish()])

    def reader(self, *, prompt: str | None = None) -> Reader:
        """Return what reads an answer piece by piece, as it is written; `prompt` as in `parse`."""
        began = self.thinking is not None and self.thinking.prompted
        if self.thinking is not None and prompt is not None:
            began = prompt.rstrip().endswith(self.thinking.open)
        end = self.answer_end
        space = end[: len(end) - len(end.lstrip())]
        around = (self.answer.partition("{")[0], self.answer.rpartition("}")[2] + space)
        return Reader(
            self.tools, self.thinking, around=around, prompted=began,
        )  # fmt: skip

    def _told(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None,
        **given: Any,
    ) -> dict[str, Any]:
        """Return what the Jinja is told of a conversation."""
        own = {name: given.pop(name) for name in ("add_generation_prompt", "now")}
        for name in ("bos_token", "eos_token"):
            found = given.pop(name)
            own[name] = getattr(self, name) if found is None else found
        options = chosen(self.options, given)
        prepend = options.pop(SYSTEM, None) == PREPEND
        said = plain_all(messages)
        return {
            "messages": folded(said) if prepend else said,
            "tools": tools_of(tools),
            **own,
            **options,
        }

    def _pieces(
        self, told: Mapping[str, Any], *, training: bool, eos_token: str | None
    ) -> list[Piece]:
        """Return what `render` does, from a mould of an earlier rendering where one fits."""

        def rendered(told: Mapping[str, Any]) -> list[Piece]:
            return self._rendered(told, training=training, eos_token=eos_token)

        return moulds_of(self).pieces(told, (training, eos_token), rendered)

    def _rendered(
        self, told: Mapping[str, Any], *, training: bool, eos_token: str | None
    ) -> list[Piece]:
        last = self._end_of(told["messages"], eos_token) if training else None
        return with_stops(self._cut(**told), self.ends(eos_token), last=last)

    def _end_of(self, messages: Sequence[Message], eos_token: str | None) -> str | None:
        """Return what ends the final answer; None where there is none, or no end is known."""
        special = self.all_special_tokens(eos_token)
        stops = [stop for stop in self.ends(eos_token) if stop in special]
        if not stops or not messages or messages[-1]["role"] != "assistant":
            return None
        own = self.tools.stop if self.tools and messages[-1].get("tool_calls") else ""
        return own or stops[0]

    def _cut(self, **variables: Any) -> Cut:
        ends = {name: Marked(variables[name]) for name in ("bos_token", "eos_token")}
        stretches = compiled(self._source)(**{**variables, **ends})
        return cut(stretches, self.all_special_tokens(*ends.values()))

    @property
    def thinks(self) -> bool:
        """Whether it writes thoughts, and is not told by an option of its own to write none."""
        switches = (self.options.get(name) for name in ("enable_thinking", "thinking"))
        return self.thinking is not None and False not in switches

    @property
    def _source(self) -> str:
        return source_of(self) if self.source is None else self.source

    def all_special_tokens(self, *more: str | None) -> tuple[str, ...]:
        """Return the special tokens of its texts, its BOS and EOS, and more."""
        known = (*self.special_tokens, self.bos_token, self.eos_token, *more)
        return tuple(dict.fromkeys(token for token in known if token))

    def ends_of(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, str | None]:
        """Return a tokenizer's BOS and EOS, as `render` takes them, where it prints one at all."""
        names = ("bos_token", "eos_token")
        return {n: getattr(tokenizer, n, None) if getattr(self, n) else None for n in names}
