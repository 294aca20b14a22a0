"""Token ids of pieces: special tokens by their ids, everything else as ordinary text."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterable
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


def encoded(pieces: Iterable[Piece], tokenizer: PreTrainedTokenizerBase) -> Encoded:
    """Return the ids of pieces, as the tokenizer gives them for the whole text.

    Text is cut at special tokens, and where the loss changes, so that prompt ids are a prefix of
    training ids.

    Raises:
        TemplateError: the tokenizer lacks a special token.
    """
    text = text_encoder(tokenizer)
    ids: list[int] = []
    mask: list[bool] = []
    before, stripping = START, False
    pending = list(pieces)
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


START, SPECIAL, TEXT = "start", "special", "text"
"""What a stretch of text follows: nothing, a special token, or other text."""


class TextEncoder:
    """Gives the ids of stretches of ordinary text; what looks like a special token stays text.

    SentencePiece-style tokenizers put a space before the text; whether they do so after a special
    token too, or at the start alone, is read from the tokenizer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Read a tokenizer once."""
        added = getattr(tokenizer, "added_tokens_decoder", {})
        self.special_ids = {int(i) for i, token in added.items() if token.special}
        self.special_ids.update(int(i) for i in tokenizer.all_special_ids)
        self.strip_after = {str(token) for token in added.values() if token.rstrip}
        """The tokens that take the white space after them."""
        self.strip_before = {str(token) for token in added.values() if token.lstrip}
        """The tokens that take the white space before them."""
        self._texts = sorted(map(str, tokenizer.all_special_tokens), key=len, reverse=True)
        self._with, self._without, self._spaces_once = _encoders(tokenizer)

    def __call__(self, text: str, before: str) -> list[int]:
        """Return the ids of a text that stands after `START`, `SPECIAL` or `TEXT`."""
        spaced = before == START or (before == SPECIAL and not self._spaces_once)
        encode = self._with if spaced else self._without
        ids = encode(text)
        if self.special_ids.isdisjoint(ids):
            return ids
        return self._parted(text, encode)

    def _parted(self, text: str, encode: Callable[[str], list[int]]) -> list[int]:
        """Return the ids of a text whose likeness of a special token the tokenizer took for one."""
        for token in self._texts:
            at = text.find(token)
            if at >= 0 and len(token) > 1:
                middle = at + len(token) // 2
                return [
                    *self._parted(text[:middle], encode),
                    *self._parted(text[middle:], self._without),
                ]
        return encode(text)


_ENCODERS: weakref.WeakKeyDictionary[Any, TextEncoder] = weakref.WeakKeyDictionary()


def text_encoder(tokenizer: PreTrainedTokenizerBase) -> TextEncoder:
    """Return the encoder of a tokenizer; it is made once."""
    found = _ENCODERS.get(tokenizer)
    if found is None:
        found = _ENCODERS[tokenizer] = TextEncoder(tokenizer)
    return found


_Encode = Callable[[str], list[int]]


def _encoders(tokenizer: PreTrainedTokenizerBase) -> tuple[_Encode, _Encode, bool]:
    """Return what encodes with the space in front, and without, and whether it is put once."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return _by_python(tokenizer), _by_python(tokenizer), False
    from tokenizers import Tokenizer

    state = json.loads(backend.to_str())
    state["added_tokens"] = [t for t in state["added_tokens"] if not t["special"]]
    state["post_processor"] = state["truncation"] = state["padding"] = None
    spaced = Tokenizer.from_str(json.dumps(state))
    schemes = [
        part.get("prepend_scheme") for part in _parts(state.get("pre_tokenizer"))
        if part["type"] == "Metaspace"
    ]  # fmt: skip
    unspaced = Tokenizer.from_str(json.dumps(_without_space(state)))
    return _by_rust(spaced), _by_rust(unspaced), "first" in schemes


def _by_rust(tokenizer: Any) -> _Encode:
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids)


def _by_python(tokenizer: PreTrainedTokenizerBase) -> _Encode:
    def encode(text: str) -> list[int]:
        found = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
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
