"""A faster encoder for byte-level BPE tokenizers, used only where it is proved to be the same.

tiktoken takes two neighbours together in the order of the ids of what they make; the tokenizers
library in the order of its merges. Where ids follow the merges, and one pattern cuts the text into
words, both are the same algorithm (https://github.com/openai/tiktoken,
https://huggingface.co/docs/tokenizers). That is looked at first, and then the ids of both are
compared: of every token's own text, of most of Unicode, and of what is known to be hard.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from importlib import metadata
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from luthier.core.run.folder import cache_folder, write_text_whole

if TYPE_CHECKING:
    import tiktoken
    from tokenizers import Tokenizer

Encode = Callable[[list[str]], list[list[int]]]

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""How a ByteLevel pre-tokenizer with `use_regex` cuts words (Radford et al., 2019)."""


class Unequal(Exception):
    """Why a tokenizer's ids cannot be had from tiktoken."""


def fast(tokenizer: Tokenizer, *, prove: bool = True) -> Encode | None:
    """Return what gives the same ids as a tokenizer gives ordinary text, but faster.

    What is found out of a tokenizer is kept in the user's cache.

    Args:
        tokenizer: one that adds nothing to a text, and takes special tokens in it for text.
        prove: find it out, which takes seconds, where it is not known; else None is returned then.

    Raises:
        Unequal: it is no byte-level BPE, its ids do not follow its merges, or some ids differ.
    """
    text = tokenizer.to_str()
    made_by = [metadata.version(name) for name in ("tokenizers", "tiktoken")]
    key = hashlib.sha256(json.dumps([text, made_by, _VERSION]).encode()).hexdigest()[:32]
    kept = cache_folder() / "encoders" / f"{key}.json"
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else None
    if known:
        raise Unequal(known)
    if known is None and not prove:
        return None
    try:
        encode = _encoder(tokenizer, json.loads(text))
        if known is None:
            _require_equal(tokenizer, encode)
    except Unequal as fault:
        _keep(kept, str(fault))
        raise
    if known is None:
        _keep(kept, "")
    return encode


_VERSION = 1
"""Counts up when what is compared changes."""


def _keep(file: Any, said: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text_whole(file, json.dumps(said))


def _encoder(tokenizer: Tokenizer, state: dict[str, Any]) -> Encode:
    """Return what encodes with tiktoken; texts with an added token in them, with the tokenizer."""
    coder = _coder(state)
    added = [re.escape(t["content"]) for t in state["added_tokens"] if not t["special"]]
    own = re.compile("|".join(added)) if added else None
    composed = state["normalizer"] is not None

    def encode(texts: list[str]) -> list[list[int]]:
        if composed:
            texts = [unicodedata.normalize("NFC", text) for text in texts]
        found = [coder.encode_ordinary(text) for text in texts]
        if own is not None:
            for n, text in enumerate(texts):
                if own.search(text):
                    found[n] = tokenizer.encode(text, add_special_tokens=False).ids
        return found

    return encode


def _coder(state: dict[str, Any]) -> tiktoken.Encoding:
    import tiktoken

    model, ranks = state["model"], {}
    if model["type"] != "BPE" or any(model.get(key) for key in _OTHERWISE):
        raise Unequal("it is no plain byte-pair encoding")
    if state["normalizer"] not in (None, {"type": "NFC"}):
        raise Unequal("it alters the text before it encodes it")
    pattern = _pattern_of(state["pre_tokenizer"])
    byte_of = _byte_alphabet()
    added = {token["content"] for token in state["added_tokens"]}
    try:
        for token, number in model["vocab"].items():
            if token not in added:
                ranks[bytes(byte_of[letter] for letter in token)] = number
    except KeyError:
        raise Unequal("a token of it is of no bytes") from None
    made = added | _in_order(model["merges"], model["vocab"])
    unmade = [token for token in model["vocab"] if len(token) > 1 and token not in made]
    if unmade or len({*ranks} & {bytes([n]) for n in range(256)}) != len(byte_of):
        raise Unequal("its merges do not make all its tokens")
    try:
        return tiktoken.Encoding(
            "luthier", pat_str=pattern, mergeable_ranks=ranks, special_tokens={}
        )
    except ValueError as fault:  # tiktoken's regular expressions are not those of the tokenizer
        raise Unequal(f"tiktoken cannot read its pattern: {fault}") from None


_OTHERWISE = (
    "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback",
)  # fmt: skip


def _in_order(merges: list[Any], vocabulary: dict[str, int]) -> set[str]:
    """Return what the merges make, whose ids have to rise as the merges go on."""
    made: set[str] = set()
    last = -1
    for merge in merges:
        token = "".join(merge.split(" ") if isinstance(merge, str) else merge)
        if token in made:
            continue  # another way to make it
        if vocabulary.get(token, -1) <= last:
            raise Unequal("the ids of its tokens do not follow its merges")
        last = vocabulary[token]
        made.add(token)
    return made


def _pattern_of(pre_tokenizer: dict[str, Any] | None) -> str:
    """Return the one regular expression that cuts words."""
    parts = (pre_tokenizer or {}).get("pretokenizers", [pre_tokenizer])
    match parts:
        case [{"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}]:
            return GPT2
        case [
            {"type": "Split", "pattern": {"Regex": str(found)}, "behavior": "Isolated"} as split,
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
        ] if not split.get("invert"):
            return found
    raise Unequal("it does not cut words by one pattern")


def _byte_alphabet() -> dict[str, int]:
    """Return the byte that each letter of a byte-level vocabulary stands for (GPT-2's table)."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    letters = {chr(byte): byte for byte in printed}
    return letters | {chr(256 + n): byte for n, byte in enumerate(others)}


# --- the proof ------------------------------------------------------------------------------


def _require_equal(tokenizer: Tokenizer, encode: Encode) -> None:
    """Raise Unequal where a text of the corpus has other ids."""
    for texts in _corpus(tokenizer):
        expected = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        for text, one, found in zip(texts, expected, encode(texts), strict=True):
            if one.ids != found:
                raise Unequal(f"its ids of {text[:60]!r} are others than tiktoken's")


def _corpus(tokenizer: Tokenizer) -> Iterator[list[str]]:
    """Yield texts, in lists: the hard ones first."""
    tokens = [tokenizer.decode([number]) for number in sorted(tokenizer.get_vocab().values())]
    order = random.Random(0)  # noqa: S311 - the same each time
    yield list(_HARD)
    yield ["".join(order.choices(tokens, k=6)) for _ in range(4000)]
    yield [a + b for a, b in pairwise(tokens)]
    yield tokens
    letters = [chr(n) for n in _CODE_POINTS if not 0xD800 <= n < 0xE000]  # noqa: PLR2004 - surrogates
    for start in range(0, len(letters), 20_000):
        some = letters[start : start + 20_000]
        yield ["".join(f"a{x} {x}1" for x in some[n : n + 50]) for n in range(0, len(some), 50)]


_CODE_POINTS = (
    *range(0x20000), *range(0x20000, 0x40000, 16), *range(0xE0000, 0xE0200),
    *range(0x40000, 0x110000, 0x1000),
)  # fmt: skip
"""All of the first two planes, where new scripts are assigned; of the others, where whole blocks of
ideographs are, one of each stretch."""

_WORDS = (
    "I'm you're he'd WE'LL it's DON'T naïve Straße ﬁne ǅ İstanbul 中文字符 日本語テキスト 한국어 "
    "עברית العربية हिन्दी ไทย 👩‍👩‍👧‍👦🇨🇭 e\u0301 \u200b\u200d\ufeff 12345678901 1,234.56 ½ ² ٣٤ "
    "snake_case camelCase http://a.b/c?d=e&f#g <html>&amp;</html> #include <a.h>"
)
_SPACES = (" ", "  ", "\t", "\n", "\r\n", "\n\n\n", " \n ", "\u00a0", "\u3000", "\u2028", "\x85")
_HARD = (
    "",
    *_SPACES,
    *_WORDS.split(),
    _WORDS,
    *(f"a{one}{other}b{one}" for one in _SPACES for other in _SPACES),
    *(letter * count for letter in "a 1.\n=é中" for count in (2, 3, 7, 64, 500)),
    *("".join(map(chr, range(n, n + 16))) for n in range(0, 0x300, 16)),
    "<|endoftext|> <|im_start|>user [INST] <s> </s> <think>",
)
