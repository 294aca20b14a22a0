"""What a chat template leaves open, taken from a tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from luthier.core.errors import TemplateError
from luthier.core.templates.pieces import Piece
from luthier.core.templates.template import ChatTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ASKED = {"role": "user", "content": "Asked."}
_SAID = "Answered."
_ANSWERED = {"role": "assistant", "content": _SAID}


def fitted(template: ChatTemplate, tokenizer: PreTrainedTokenizerBase) -> ChatTemplate:
    """Return a template with the special tokens of a tokenizer, and the ends of answers among them.

    What a template says of itself stays; one that says all of it is returned as it is.

    Args:
        template: any template; those of a run file and of a model leave it open.
        tokenizer: the model's.
    """
    said = template.model_fields_set
    if "special_tokens" in said and template.stops:
        return template
    facts: dict[str, Any] = {
        name: getattr(tokenizer, name) or ""
        for name in ("bos_token", "eos_token")
        if name not in said
    }
    if "special_tokens" not in said:
        facts["special_tokens"] = tuple(_special_tokens(tokenizer))
    template = template.derived(**facts)
    known = {*template.special_tokens, template.eos_token}
    if any(stop in known for stop in template.ends()):
        return template
    return template.derived(stops=tuple(dict.fromkeys([*template.stops, *_ends(template)])))


def _special_tokens(tokenizer: PreTrainedTokenizerBase) -> Iterator[str]:
    yield from map(str, tokenizer.all_special_tokens)
    added = getattr(tokenizer, "added_tokens_decoder", {})
    yield from (str(token) for token in added.values() if token.special)


def _ends(template: ChatTemplate) -> Iterator[str]:
    """Yield what ends an answer: the token after it, be it the next turn's, and the EOS."""
    for chat in ([_ASKED, _ANSWERED], [_ASKED, _ANSWERED, _ASKED]):
        try:
            pieces = template.render(chat).pieces
        except TemplateError:
            continue
        after = next((token for token in _tokens_after(pieces, _SAID)), None)
        if after:
            yield after
            break
    if template.eos_token:
        yield template.eos_token


def _tokens_after(pieces: tuple[Piece, ...], text: str) -> Iterator[str]:
    said = next((n for n, piece in enumerate(pieces) if text in piece.text), len(pieces))
    return (piece.text for piece in pieces[said + 1 :] if piece.special)
