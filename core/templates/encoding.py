"""Token ids of pieces: special tokens by their ids, everything else as ordinary text."""

from __future__ import annotations

import json
import re
import weakref
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.errors import TemplateError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.templates.pieces import Piece

IGNORED = -100
"""The label of a token that the loss does not count, as torch's cross entropy has it."""


class Encoded(NamedTuple):
    """Token ids, and for each whether the loss counts it; two lists of equal length."""

    ids: list[int]
    mask: list[bool]

    @property
    def labels(self) -> list[int]:
        """The ids that the loss counts, `IGNORED` elsewhere."""
        return [i if kept else IGNORED for i, kept in zip(self.ids, self.mask, strict=True)]


def encoded(
    pieces: Iterable[Piece], tokenizer: PreTrainedTokenizerBase, special_tokens: tuple[str, ...]
) -> Encoded:
    """Return the ids of pieces, as the tokenizer gives them for the whole text.

    Text is cut at special tokens, and where the loss changes, so that prompt ids are a prefix of
    training ids.

    Args:
        pieces: what was rendered.
        tokenizer: what gives the ids.
        special_tokens: those of the template, which no text of others becomes.

    Raises:
        TemplateError: the tokenizer lacks a special token.
    """
    pending = list(pieces)
    text = text_encoder(tokenizer, special_tokens)
    ids: list[int] = []
    mask: list[bool] = []
    before, stripping = START, False
    for index, piece in enumerate(pending):
        if piece.special:
            found = special_id(piece.text, tokenizer)
            ids.append(found)
            mask.append(piece.trained)
            before, stripping = SPECIAL, piece.text in text.strip_after
            continue
        written = piece.text.lstrip() if stripping else piece.text
        following = pending[index + 1] if index + 1 < len(pending) else None
        if following is not None and following.special and following.text in text.strip_before:
            written = written.rstrip()
        if written:
            new = text(written, before)
            ids += new
            mask += [piece.trained] * len(new)
            before, stripping = TEXT, False
    return Encoded(ids, mask)


_Encode = Callable[[str], list[int]]
_Encoders = tuple[_Encode, _Encode, bool]

START, SPECIAL, TEXT = "start", "special", "text"
"""What a stretch of text follows: nothing, a special token, or other text."""


class TextEncoder:
    """Gives the ids of stretches of ordinary text; what looks like a special token stays text.

    SentencePiece-style tokenizers put a space before the text; whether they do so after a special
    token too, or at the start alone, is read from the tokenizer.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, tokens: tuple[str, ...], encoders: _Encoders
    ) -> None:
        """Read a tokenizer once.

        Args:
            tokenizer: it tells most of its special tokens.
            tokens: those of a template, which it may hold for ordinary ones.
            encoders: what `_encoders` made of it.
        """
        added = getattr(tokenizer, "added_tokens_decoder", {})
        special = {str(token) for token in added.values() if token.special}
        special |= {*map(str, tokenizer.all_special_tokens), *tokens}
        ids = (known_id(token, tokenizer) for token in special)
        self.special_ids = {*(i for i in ids if i is not None), *tokenizer.all_special_ids}
        self.strip_after = {str(token) for token in added.values() if token.rstrip}
        """The tokens that take the white space after them."""
        self.strip_before = {str(token) for token in added.values() if token.lstrip}
        """The tokens that take the white space before them."""
        longest_first = sorted((t for t in special if len(t) > 1), key=len, reverse=True)
        self._likeness = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        self._with, self._without, self._spaces_once = self.encoders = encoders

    def __call__(self, text: str, before: str) -> list[int]:
        """Return the ids of a text that stands after `START`, `SPECIAL` or `TEXT`."""
        spaced = before == START or (before == SPECIAL and not self._spaces_once)
        encode = self._with if spaced else self._without
        ids = encode(text)
        if self.special_ids.isdisjoint(ids):
            return ids
        # the tokenizer took some of it for special tokens: each likeness is cut in two
        cuts = [0]
        while found := self._likeness.search(text, cuts[-1]):
            cuts.append((found.start() + found.end()) // 2)
        parts = [text[a:b] for a, b in pairwise([*cuts, len(text)])]
        return [*encode(parts[0]), *(i for part in parts[1:] for i in self._without(part))]


_MADE: weakref.WeakKeyDictionary[Any, dict[tuple[str, ...], TextEncoder]]
_MADE = weakref.WeakKeyDictionary()


def text_encoder(tokenizer: PreTrainedTokenizerBase, tokens: tuple[str, ...]) -> TextEncoder:
    """Return the encoder of a tokenizer and a template's special tokens; it is made once."""
    made = _MADE.setdefault(tokenizer, {})
    if tokens not in made:
        # a tokenizer is read once: it may be of a hundred thousand tokens
        known = next(iter(made.values()), None)
        encoders = known.encoders if known else _encoders(tokenizer)
        made[tokens] = TextEncoder(tokenizer, tokens, encoders)
    return made[tokens]


def _encoders(tokenizer: PreTrainedTokenizerBase) -> _Encoders:
    """Return what encodes with the space in front, and without, and whether it is put once."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return _by_python(tokenizer), _by_python(tokenizer), False
    from tokenizers import Tokenizer

    state = json.loads(backend.to_str())
    state["post_processor"] = state["truncation"] = state["padding"] = None
    spaced = Tokenizer.from_str(json.dumps(state))
    schemes = [
        part.get("prepend_scheme") for part in _parts(state.get("pre_tokenizer"))
        if part["type"] == "Metaspace"
    ]  # fmt: skip
    unspaced = Tokenizer.from_str(json.dumps(_without_space(state)))
    return _by_rust(spaced), _by_rust(unspaced), "first" in schemes


def _by_rust(tokenizer: Any) -> _Encode:
    tokenizer.encode_special_tokens = True  # as the text that they are
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids)


def _by_python(tokenizer: PreTrainedTokenizerBase) -> _Encode:
    def encode(text: str) -> list[int]:
        found = tokenizer(text, add_special_tokens=False)["input_ids"]
        return [int(i) for i in found]

    return encode


def _parts(component: Any) -> list[dict[str, Any]]:
    """Return the parts of a normalizer or a pre-tokenizer, a sequence taken apart."""
    if component is None:
        return []
    inner = component.get("pretokenizers") or component.get("normalizers")
    return [part for one in inner for part in _parts(one)] if inner else [component]


def _without_space(state: dict[str, Any]) -> dict[str, Any]:
    """Return a tokenizer's state that puts no space before a text."""
    changed: dict[str, Any] = json.loads(json.dumps(state))
    for part in _parts(changed.get("pre_tokenizer")):
        if part["type"] == "Metaspace":
            part["prepend_scheme"] = "never"
        elif part["type"] == "ByteLevel":
            part["add_prefix_space"] = False
    for part in _parts(changed.get("normalizer")):
        if part["type"] == "Prepend":
            # the same normalizer without effect
            part.clear()
            part.update({"type": "Replace", "pattern": {"String": "\ufdd0"}, "content": "\ufdd0"})
    return changed


def known_id(token: str, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the id of a token, or None where the tokenizer has no such token."""
    found: Any = tokenizer.convert_tokens_to_ids(token)
    absent = found is None or (found == tokenizer.unk_token_id and token != tokenizer.unk_token)
    return None if absent else int(found)


def special_id(token: str, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id of a special token.

    Raises:
        TemplateError: the tokenizer has no such token.
    """
    found = known_id(token, tokenizer)
    if found is None:
        raise TemplateError(
            f"the tokenizer has no token {token!r}, which the chat template needs. "
            "Choose a template whose special tokens the model has: `template: NAME`."
        )
    return found
