"""Ids with their texts: whole characters, special tokens, and what is cut off."""

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from luthier.core.data.decoding import printable, stretches_of
from luthier.core.templates import Encoded
from luthier.plugins.families.tiny.making import tiny_model


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(tiny_model())


def shown(text, tokenizer, *, trained=None, limit=10**6):
    ids = tokenizer(text)["input_ids"]
    runs = (
        [(len(ids), False)] if trained is None else [(trained, False), (len(ids) - trained, True)]
    )
    part_of = lambda at: 0 if at < limit else None  # noqa: E731
    return ids, list(stretches_of(Encoded(ids, runs), tokenizer, {1, 2}, part_of))


@pytest.mark.parametrize("text", ["Hello there, you.", "Grüße: 你好 👩‍👩‍👧!", "a\n\n\tb  c "])
def test_the_texts_of_all_tokens_are_the_text(tokenizer, text):
    ids, found = shown(text, tokenizer)
    assert "".join(one.text for one in found) == text
    assert [i for one in found for i in one.ids] == ids
    assert "\ufffd" not in "".join(one.text for one in found)


def test_the_bytes_of_one_character_are_shown_together(tokenizer):
    _, found = shown("你", tokenizer)
    assert [(one.text, len(one.ids)) for one in found] == [("你", 3)]


def test_a_special_token_is_one_and_text_that_looks_like_it_is_not(tokenizer):
    _, found = shown("<|im_start|>Hi<|im_end|>", tokenizer)
    assert [one.text for one in found if one.special] == ["<|im_start|>", "<|im_end|>"]


def test_a_character_that_is_cut_in_two_is_shown_as_cut(tokenizer):
    _, found = shown("你", tokenizer, limit=1)
    assert [one.part for one in found] == [0, None]
    assert found[0].text == "\ufffd"


def test_bytes_that_are_no_character_do_not_swallow_the_rest(tokenizer):
    ids = tokenizer("你")["input_ids"][:1] * 9
    found = list(stretches_of(Encoded(ids, [(9, True)]), tokenizer, set(), lambda at: 0))
    assert sum(len(one.ids) for one in found) == 9
    assert max(len(one.ids) for one in found) <= 4


def test_a_terminal_is_shown_no_text_that_it_would_obey():
    assert printable("a\x1b[31mb\u202ec\n\td 👩‍👧") == "a\\x1b[31mb\\u202ec\n\td 👩‍👧"


def sentencepiece_like():
    """A tokenizer that marks the spaces before words, and has bytes for what it does not know."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    pieces = ["<unk>", "<s>", *(f"<0x{n:02X}>" for n in range(256)), *"▁abc", "▁a", "▁ab"]
    model = models.BPE(
        {piece: n for n, piece in enumerate(pieces)}, [("▁", "a"), ("▁a", "b")],
        unk_token="<unk>", byte_fallback=True,
    )  # fmt: skip
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)]
    )  # fmt: skip
    backend.add_special_tokens([AddedToken("<s>", special=True)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", unk_token="<unk>")


def test_spaces_that_a_decoder_drops_at_a_start_are_shown():
    tokenizer = sentencepiece_like()
    ids, found = shown("ab a 你 c", tokenizer)
    assert "".join(one.text for one in found) == tokenizer.decode(ids) == "ab a 你 c"
    assert [one.text for one in found] == ["ab", " a", " ", "你", " ", "c"]
