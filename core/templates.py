"""Chat templates: a conversation as pieces of text, each with its part in the loss.

Special tokens are pieces of their own (paper, appendix C), so text that a user typed can never
become one. The same object renders for training, chat and export.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.errors import TemplateError
from luthier.core.plugin import Plugin

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""The label of a token that the loss does not count, as torch's cross entropy has it."""

Message = Mapping[str, Any]


class Piece(NamedTuple):
    """A stretch of rendered text."""

    text: str
    special: bool
    """Whether it is one special token of the tokenizer."""
    trained: bool
    """Whether the loss counts it."""


@dataclass(frozen=True)
class Rendered:
    """A rendered conversation."""

    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The whole text, special tokens as text."""
        return "".join(piece.text for piece in self.pieces)


class Encoded(NamedTuple):
    """Token ids, and for each whether the loss counts it; two lists of equal length."""

    ids: list[int]
    mask: list[bool]

    @property
    def labels(self) -> list[int]:
        """The ids that the loss counts, `IGNORED` elsewhere."""
        return [i if kept else IGNORED for i, kept in zip(self.ids, self.mask, strict=True)]


class ChatTemplate(Plugin):
    """A chat format, as facts: the text around each role's content.

    `{content}` stands for the message's content. What of the text is a special token is said
    once, in `special_tokens`; everything else is ordinary text.
    """

    special_tokens: tuple[str, ...] = ()
    """The special tokens that occur in the texts below."""
    bos: str = ""
    """What the whole text begins with."""
    system: str | None = None
    """A system message; None where the format has none."""
    default_system: str | None = None
    """The system prompt where the conversation has none; None for no system message."""
    user: str
    """A user's message."""
    answer_prefix: str
    """What stands before an answer: the end of the prompt that the model goes on from."""
    answer_end: str
    """What ends an answer. It is trained, and generation stops at it."""
    answer_suffix: str = ""
    """What stands between an answer and the next message; it is not trained."""

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None = None,
        *,
        generation_prompt: bool = False,
    ) -> Rendered:
        """Return the pieces of a conversation.

        Args:
            messages: mappings with `role` (system, user or assistant) and `content`.
            tools: function tools, in OpenAI's form.
            generation_prompt: end with what the model goes on from.

        Raises:
            TemplateError: a role or a tool that this format has no place for.
        """
        if tools:
            raise TemplateError("this chat template has no place for tools; leave them out")
        pieces = list(self._cut(self.bos, "", trained=False))
        given = list(messages)
        if self.default_system is not None and not (given and given[0]["role"] == "system"):
            given.insert(0, {"role": "system", "content": self.default_system})
        for index, message in enumerate(given):
            pieces.extend(self._message(message, index))
        if generation_prompt:
            pieces.extend(self._cut(self.answer_prefix, "", trained=False))
        return Rendered(tuple(piece for piece in pieces if piece.text))

    def _message(self, message: Message, index: int) -> Iterable[Piece]:
        role, content = message["role"], message["content"]
        if role == "user":
            yield from self._cut(self.user, content, trained=False)
        elif role == "assistant":
            yield from self._cut(self.answer_prefix, "", trained=False)
            yield Piece(content, special=False, trained=True)
            yield from self._cut(self.answer_end, "", trained=True)
            yield from self._cut(self.answer_suffix, "", trained=False)
        elif role == "system" and self.system is not None and index == 0:
            yield from self._cut(self.system, content, trained=False)
        else:
            allowed = ["user", "assistant", *(["system (first only)"] if self.system else [])]
            raise TemplateError(
                f"message {index + 1} has the role {role!r}, which this chat template has no place "
                f"for there; its roles are: {', '.join(allowed)}"
            )

    def _cut(self, text: str, content: str, *, trained: bool) -> Iterable[Piece]:
        """Yield a slot's text cut at its special tokens, the content put in as ordinary text."""
        before, slot, after = text.partition("{content}")
        for part in (before, None if slot else "", after):
            if part is None:
                yield Piece(content, special=False, trained=trained)
                continue
            for stretch in self._stretches(part):
                yield Piece(stretch, stretch in self.special_tokens, trained)

    def _stretches(self, text: str) -> list[str]:
        if not self.special_tokens:
            return [text]
        pattern = "|".join(re.escape(t) for t in sorted(self.special_tokens, key=len, reverse=True))
        return [part for part in re.split(f"({pattern})", text) if part]

    def encode(
        self,
        messages: Sequence[Message],
        tokenizer: PreTrainedTokenizerBase,
        *,
        generation_prompt: bool = False,
    ) -> Encoded:
        """Return the token ids of a conversation and which of them the loss counts.

        Text is tokenized in stretches between special tokens and cut where the loss changes, so
        that prompt ids are a prefix of training ids.

        Raises:
            TemplateError: the tokenizer lacks a special token of this format.
        """
        ids: list[int] = []
        mask: list[bool] = []
        stretch = ""
        counted = False
        end = Piece("", special=True, trained=False)
        for piece in (*self.render(messages, generation_prompt=generation_prompt).pieces, end):
            if stretch and (piece.special or piece.trained != counted):
                found = _ids_of(stretch, tokenizer)
                ids += found
                mask += [counted] * len(found)
                stretch = ""
            counted = piece.trained
            if not piece.special:
                stretch += piece.text
            elif piece.text:
                ids.append(special_id(piece.text, tokenizer))
                mask.append(counted)
        return Encoded(ids, mask)

    def stop_ids(self, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        """Return the ids at which generation has to stop: the end of an answer, and the EOS."""
        ends = [t for t in self._stretches(self.answer_end) if t in self.special_tokens]
        ids = [special_id(token, tokenizer) for token in ends[:1]]
        if tokenizer.eos_token_id is not None:
            ids.append(int(tokenizer.eos_token_id))
        return list(dict.fromkeys(ids))

    def jinja(self) -> str:
        """Return the same format as a Jinja chat template of transformers, with loss marks."""
        loop = "{%- for message in messages -%}\n"
        end = "{%- endif -%}\n{%- endfor -%}\n"
        parts = [_print(self.bos)] if self.bos else []
        if self.default_system is not None and self.system is not None:
            parts.append(
                "{%- if not messages or messages[0]['role'] != 'system' -%}\n"
                + _slot(self.system, _quoted(self.default_system))
                + "{%- endif -%}\n"
            )
        parts += [loop, "{%- if message['role'] == 'user' -%}\n", _slot(self.user)]
        if self.system is not None:
            parts += ["{%- elif message['role'] == 'system' and loop.first -%}\n"]
            parts += [_slot(self.system)]
        parts += [
            "{%- elif message['role'] == 'assistant' -%}\n",
            _print(self.answer_prefix),
            "{%- generation -%}\n{{- message['content'] -}}\n",
            _print(self.answer_end),
            "{%- endgeneration -%}\n",
            _print(self.answer_suffix),
            "{%- else -%}\n",
            "{{- raise_exception('no place for the role ' ~ message['role']) -}}\n",
            end,
            "{%- if add_generation_prompt -%}\n" + _print(self.answer_prefix) + "{%- endif -%}\n",
        ]
        return "".join(parts).rstrip("\n")


def _print(text: str) -> str:
    """Return the Jinja that prints a text, white space and all."""
    return "{{- " + _quoted(text) + " -}}\n" if text else ""


def _slot(text: str, content: str = "message['content']") -> str:
    before, _, after = text.partition("{content}")
    return _print(before) + "{{- " + content + " -}}\n" + _print(after)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def _ids_of(text: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the ids of ordinary text; what looks like a special token in it stays text."""
    found = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return [int(i) for i in found]


def special_id(token: str, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id of a special token.

    Raises:
        TemplateError: the tokenizer has no such token.
    """
    found = tokenizer.get_vocab().get(token)
    if found is None:
        raise TemplateError(
            f"the tokenizer has no token {token!r}, which the chat template needs. "
            "Choose a template whose special tokens the model has: `template: NAME`."
        )
    return int(found)
