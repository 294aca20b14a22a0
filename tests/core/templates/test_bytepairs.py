"""The faster encoder: the same ids where it is used, and a reason where it is not."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from luthier.core.templates import bytepairs, tokenizing
from luthier.core.templates.bytepairs import Unequal, fast

WORDS = (
    "The quick brown fox jumps over the lazy dog, doesn't it? It'll be 1234 times as quick as "
    "snake_case and camelCase.\n\n  for i in range(10):\n\tprint(i)\r\nÜber Köln 中文字符 日本語 é"
)
GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN = GPT4.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def made(pattern=None, *, composed=False, byte_level=True):
    """Return a BPE tokenizer that is trained on a few words."""
    tokenizer = Tokenizer(models.BPE())
    if pattern is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        cut = pre_tokenizers.Split(Regex(pattern), "isolated")
        letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([cut, letters])
    if composed:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_level else []
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([WORDS] * 3, trainer)
    return anew(tokenizer)


def anew(tokenizer, change=lambda state: None):
    """Return a tokenizer, changed, as the encoder of templates holds it."""
    state = json.loads(tokenizer.to_str())
    change(state)
    found = Tokenizer.from_str(json.dumps(state))
    found.encode_special_tokens = True
    return found


@pytest.fixture(autouse=True, scope="module")
def a_small_proof():
    """Let the proof look at a part of Unicode: that all of it is alike takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytepairs, "_CODE_POINTS", tuple(range(0, 0x30000, 7)))
        yield


KINDS = {
    "gpt-2": made(),
    "gpt-4": made(GPT4),
    "qwen": made(QWEN, composed=True),
    "o200k": made(O200K),
}


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.text(max_size=40) | st.text(WORDS, max_size=40), max_size=4))
@settings(max_examples=300, deadline=None)
def test_its_ids_are_the_tokenizer_s_for_any_text(kind, texts):
    tokenizer = KINDS[kind]
    expected = tokenizer.encode_batch(texts, add_special_tokens=False)
    assert fast(tokenizer)(texts) == [one.ids for one in expected]


def test_an_added_token_in_a_text_is_what_the_tokenizer_makes_of_it():
    tokenizer = made(GPT4)
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("quick", lstrip=True)])
    texts = ["a <tool> b", "as  quick as", "<|end|>", "none"]
    assert fast(tokenizer)(texts) == [
        tokenizer.encode(text, add_special_tokens=False).ids for text in texts
    ]


def turned(state):
    """Give the tokens that are made ids against the order of the merges."""
    vocabulary = state["model"]["vocab"]
    long = [token for token in vocabulary if len(token) > 1 and token != "<|end|>"]
    ids = sorted(vocabulary[token] for token in long)
    vocabulary |= dict(zip(long, reversed(ids), strict=True))


def unreachable(state):
    """Take away a merge in the middle, and leave what it made."""
    del state["model"]["merges"][5]


def spaced(state):
    state["pre_tokenizer"]["add_prefix_space"] = True


def lowered(state):
    state["normalizer"] = {"type": "Lowercase"}


def dropping(state):
    state["model"]["dropout"] = 0.1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (turned, "do not follow its merges"),
        (unreachable, "do not make all its tokens"),
        (spaced, "does not cut words by one pattern"),
        (lowered, "alters the text"),
        (dropping, "no plain byte-pair encoding"),
    ],
)
def test_a_tokenizer_of_another_kind_is_refused_with_the_reason(change, said):
    tokenizer = anew(made(), change)
    for _ in range(2):  # found out, and known from the cache
        with pytest.raises(Unequal, match=said):
            fast(tokenizer)


def test_one_that_is_no_bpe_or_has_not_all_bytes_is_refused():
    with pytest.raises(Unequal, match="do not make all"):
        fast(made(byte_level=False))
    with pytest.raises(Unequal, match="no plain byte-pair encoding"):
        fast(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))


def test_any_difference_switches_it_off(monkeypatch):
    tokenizer = anew(made(), lambda state: state["model"]["merges"].pop() and _shrunk(state))
    original = bytepairs._encoder

    def wrong(*arguments):
        encode = original(*arguments)
        return lambda texts: [ids[:-1] if len(ids) == 3 else ids for ids in encode(texts)]

    monkeypatch.setattr(bytepairs, "_encoder", wrong)
    with pytest.raises(Unequal, match="are others than tiktoken's"):
        fast(tokenizer)


def _shrunk(state):
    """Take the token of the last merge out of the vocabulary."""
    vocabulary = state["model"]["vocab"]
    del vocabulary[max(vocabulary, key=vocabulary.get)]


def test_after_many_characters_the_ids_are_the_same(monkeypatch):
    monkeypatch.setattr(tokenizing, "MANY_CHARACTERS", 100)
    tokenizer = made(GPT4)
    texts = [f"{WORDS[n:]}{n}" for n in range(40)]
    expected = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
    encode = tokenizing._by_rust(tokenizer)
    first = encode(["a text of few characters"])
    assert encode._fast is None
    assert encode(texts) == encode(texts) == expected
    assert encode._fast is not None
    assert encode(["a text of few characters"]) == first


def test_an_encoder_that_is_proved_is_taken_before_one_would_be_proved(monkeypatch, tmp_path):
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path))
    monkeypatch.setattr(tokenizing, "CHARACTERS_A_TOKEN", 0)
    unproved = tokenizing._by_rust(made(GPT4))
    expected = unproved([WORDS])
    assert unproved._fast is None
    assert not list(tmp_path.iterdir())
    fast(made(GPT4))
    proved = tokenizing._by_rust(made(GPT4))
    assert proved([WORDS]) == expected
    assert proved._fast is not None
