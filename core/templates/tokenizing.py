"""Ordinary text as token ids, as a tokenizer gives them, and the ids of its special tokens."""

from __future__ import annotations

import json
import logging
import math
import re
import weakref
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from luthier.core.errors import TemplateError
from luthier.core.templates.bytepairs import Encode, Unequal, fast

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

logger = logging.getLogger("luthier")

_Encoders = tuple[Encode, Encode, bool]

MANY_CHARACTERS = 1_000_000
"""From so many on, the proof of a faster encoder is worth its seconds."""
CHARACTERS_A_TOKEN = 10
"""From so many for each token of its vocabulary on, one that is proved is worth its being made: it
takes about five microseconds a token, and saves a fifth of one a character."""
SHORT, MOST_SHORT = 24, 4096
"""Texts of so few characters come again, and are kept, so many of them."""

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
        ids = {token: known_id(token, tokenizer) for token in special}
        self.special_texts = [token for token, i in ids.items() if i is not None]
        self.special_ids = {
            *(i for i in ids.values() if i is not None),
            *tokenizer.all_special_ids,
        }
        self.strip_after = {str(token) for token in added.values() if token.rstrip}
        """The tokens that take the white space after them."""
        self.strip_before = {str(token) for token in added.values() if token.lstrip}
        """The tokens that take the white space before them."""
        longest_first = sorted((t for t in special if len(t) > 1), key=len, reverse=True)
        self.likeness = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        """What finds the special tokens in texts, but for those of one character."""
        self._with, self._without, self._spaces_once = self.encoders = encoders
        self._ids: dict[str, int] = {}
        self._short: dict[tuple[str, bool], list[int]] = {}
        self._tokenizer = weakref.ref(tokenizer)

    def special_id(self, token: str) -> int:
        """Return the id of a special token; TemplateError where there is none."""
        found = self._ids.get(token)
        if found is None:
            tokenizer = self._tokenizer()
            assert tokenizer is not None  # noqa: S101 - the caller holds it
            found = self._ids[token] = special_id(token, tokenizer)
        return found

    def is_spaced(self, before: str) -> bool:
        """Return whether a text after `START`, `SPECIAL` or `TEXT` gets a space before it."""
        return before == START or (before == SPECIAL and not self._spaces_once)

    def __call__(self, text: str, before: str) -> list[int]:
        """Return the ids of a text that stands after `START`, `SPECIAL` or `TEXT`."""
        return self.all([(text, self.is_spaced(before))])[0]

    def all(self, texts: Sequence[tuple[str, bool]]) -> list[list[int]]:
        """Return the ids of texts, each with whether it gets a space before it.

        Raises:
            UnicodeEncodeError: one holds half a character, as an escape of JSON can write it.
        """
        short = self._short
        pairs = [(one, short.get(one)) for one in texts]
        new = list(dict.fromkeys(one for one, ids in pairs if ids is None))
        known = dict(zip(new, self._encoded(new), strict=True))
        if len(short) < MOST_SHORT:
            short.update((one, ids) for one, ids in known.items() if len(one[0]) <= SHORT)
        return [known[one] if ids is None else ids for one, ids in pairs]

    def _encoded(self, texts: Sequence[tuple[str, bool]]) -> list[list[int]]:
        # half a character is no text, and what encodes would not always say so
        "".join([text for text, _ in texts]).encode()
        if self._with is self._without:
            found = self._without([text for text, _ in texts])
        else:
            with_space = iter(self._with([text for text, spaced in texts if spaced]))
            without = iter(self._without([text for text, spaced in texts if not spaced]))
            found = [next(with_space if spaced else without) for _, spaced in texts]
        for number, ids in enumerate(found):
            if not self.special_ids.isdisjoint(ids):
                found[number] = self._apart(*texts[number])
        return found

    def _apart(self, text: str, spaced: bool) -> list[int]:  # noqa: FBT001 (as in `texts`)
        """Return the ids of a text of which the tokenizer took some for special tokens."""
        cuts = [0]  # each likeness is cut in two
        while found := self.likeness.search(text, cuts[-1]):
            cuts.append((found.start() + found.end()) // 2)
        first, *others = (text[a:b] for a, b in pairwise([*cuts, len(text)]))
        head = (self._with if spaced else self._without)([first])[0]
        return [*head, *chain.from_iterable(self._without(others))]


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
        encode = _by_python(tokenizer)
        return encode, encode, False
    from tokenizers import Tokenizer

    state = json.loads(backend.to_str())
    state["post_processor"] = state["truncation"] = state["padding"] = None
    spaced = _by_rust(Tokenizer.from_str(json.dumps(state)))
    schemes = [
        part.get("prepend_scheme") for part in _parts(state.get("pre_tokenizer"))
        if part["type"] == "Metaspace"
    ]  # fmt: skip
    changed = _without_space(state)
    unspaced = spaced if changed == state else _by_rust(Tokenizer.from_str(json.dumps(changed)))
    return spaced, unspaced, "first" in schemes


def _by_rust(tokenizer: Any) -> _Growing:
    tokenizer.encode_special_tokens = True  # as the text that they are

    return _Growing(tokenizer)


class _Growing:
    """Encodes with the tokenizers library, and after many texts faster, where that is the same."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._characters = 0
        self._looks_at: float = min(
            CHARACTERS_A_TOKEN * tokenizer.get_vocab_size(), MANY_CHARACTERS
        )
        self._fast: Encode | None = None

    def __call__(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of texts."""
        if self._fast is None:
            self._characters += sum(map(len, texts))
            if self._characters > self._looks_at:
                self._look()
        if self._fast is not None:
            return self._fast(texts)
        found = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [one.ids for one in found]

    def _look(self) -> None:
        """Take the faster encoder, if it is proved, or there is enough text to prove it now."""
        prove = self._characters > MANY_CHARACTERS
        self._looks_at = math.inf if prove else MANY_CHARACTERS
        try:
            self._fast = fast(self._tokenizer, prove=prove)
        except Unequal as fault:
            self._looks_at = math.inf
            logger.info("encoding with the tokenizer itself: %s", fault)


def _by_python(tokenizer: PreTrainedTokenizerBase) -> Encode:
    def encode(texts: list[str]) -> list[list[int]]:
        found = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts)
        return [[int(i) for i in ids] for ids in found]

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
