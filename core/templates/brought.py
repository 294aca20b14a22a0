"""The chat template that a model brings with its tokenizer, read without importing a library.

Source: https://huggingface.co/docs/transformers/chat_templating_writing (where it is kept).
"""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.core.errors import BadModel, TemplateError
from luthier.core.templates.corpus import CORPUS, Conversation, corpus_for
from luthier.core.templates.foreign import JinjaTemplate
from luthier.core.templates.template import ChatTemplate

NOON = datetime.datetime(2025, 1, 2, 12)
"""The moment that templates are compared at."""


@dataclass(frozen=True)
class Brought:
    """What a model's folder says of its chat format."""

    source: str
    """The Jinja."""
    bos_token: str = ""
    eos_token: str = ""

    def template(self) -> JinjaTemplate:
        """Return it as a template, to be cut where contents stand.

        Raises:
            TemplateError: it is no Jinja.
        """
        return _template_of(self.source, self.bos_token, self.eos_token)

    def differs(self, template: ChatTemplate) -> str | None:
        """Return the name of the first conversation that a template renders unlike it, or None.

        Where one of them refuses a conversation, so has the other to.
        """
        own = self.template()
        for one in corpus_for(self.source, tools=own.tools is not None):
            for prompt in (False, True):
                try:
                    expected = own.text(one.messages, one.tools, **self._how(one, prompt=prompt))
                except TemplateError:
                    expected = None
                if expected != self._rendered(template, one, prompt=prompt):
                    return one.name
        return None

    def alters(self) -> str | None:
        """Return the name of the first conversation whose contents it alters, or None.

        One that leaves out a question or its answer alters them, too.
        """
        own = self.template()
        for one in corpus_for(self.source, tools=own.tools is not None):
            how = self._how(one, prompt=False)
            try:
                own.text(one.messages, one.tools, **how)
            except TemplateError:
                continue  # refused, which is another matter
            if self._rendered(own, one, prompt=False) is None:
                return one.name
        return None if self._prints(own) else "what is said is left out"

    def _prints(self, own: JinjaTemplate) -> bool:
        """Whether a question and its answer are printed."""
        one = CORPUS[1]
        try:
            text = own.text(one.messages, **self._how(one, prompt=False))
        except TemplateError:
            return False
        return all(message["content"] in text for message in one.messages)

    def _how(self, one: Conversation, *, prompt: bool) -> dict[str, Any]:
        return {
            "generation_prompt": prompt, "now": NOON,
            "bos_token": self.bos_token, "eos_token": self.eos_token, **one.options,
        }  # fmt: skip

    def _rendered(self, template: ChatTemplate, one: Conversation, *, prompt: bool) -> str | None:
        try:
            return template.render(one.messages, one.tools, **self._how(one, prompt=prompt)).text
        except TemplateError:
            return None


@functools.lru_cache(maxsize=2)
def _template_of(source: str, bos_token: str, eos_token: str) -> JinjaTemplate:
    """Return a template, parsed once: it is compared with dozens."""
    return JinjaTemplate.of(source, bos_token=bos_token, eos_token=eos_token)


def brought_by(folders: Sequence[Path]) -> Brought | None:
    """Return the chat template of the first folder that has one; None where none has.

    Args:
        folders: a model's folder, those of its adapters before it.

    Raises:
        BadModel: a file of the tokenizer is no JSON.
    """
    for folder in folders:
        config = _json_of(folder / "tokenizer_config.json")
        file = folder / "chat_template.jinja"
        source = _read(file) if file.is_file() else _named(config)
        if source:
            tokens = {**_json_of(folder / "special_tokens_map.json"), **config}
            return Brought(source, _text(tokens.get("bos_token")), _text(tokens.get("eos_token")))
    return None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except ValueError as fault:
        raise BadModel(f"{file} is no text of UTF-8: {fault}. Mend or remove it.") from fault


def _named(config: dict[str, Any]) -> str | None:
    """Return the template of a tokenizer's config; of several by name, the default one."""
    found = config.get("chat_template")
    if isinstance(found, list):
        named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default")
    return found if isinstance(found, str) else None


def _text(token: Any) -> str:
    return str(token.get("content", "") if isinstance(token, dict) else token or "")


def _json_of(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise BadModel(f"{file} is no JSON: {fault}") from fault
    return found if isinstance(found, dict) else {}
