"""Each template on real tokenizers: the ids of the whole text, and what is promised of them."""

import functools

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from luthier.core.templates import load_template
from luthier.core.templates.agreement import check_tokenizer

from .test_every_template import NAMES

WORDS = ["What is a luthier? One who makes string instruments.", "Answer in one line.\n\n"] * 9


@functools.cache
def trained(kind):
    """Return a small tokenizer as text, of byte-level BPE or as SentencePiece has them."""
    bytes_ = pre_tokenizers.ByteLevel.alphabet()
    if kind == "byte-level":
        made, first = Tokenizer(models.BPE()), pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder, alphabet = decoders.ByteLevel(), bytes_
    else:
        made, first = Tokenizer(models.BPE(unk_token="<unk>")), pre_tokenizers.Metaspace()
        made.decoder, alphabet = decoders.Metaspace(), []
    made.pre_tokenizer = first
    made.train_from_iterator(
        WORDS,
        trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>"], initial_alphabet=alphabet),
    )
    return made.to_str()


def tokenizer_for(template, kind):
    """Return a tokenizer that has the special tokens of a template, and its Jinja."""
    made = Tokenizer.from_str(trained(kind))
    ends = {"bos_token": template.bos_token or "<b>", "eos_token": template.eos_token or "<e>"}
    tokens = dict.fromkeys([*template.special_tokens, *ends.values()])
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in tokens])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", chat_template=template.jinja(), **ends
    )


@pytest.mark.parametrize("kind", ["byte-level", "metaspace"])
@pytest.mark.parametrize("name", NAMES)
def test_its_ids_are_those_of_the_whole_text_and_its_promises_hold(name, kind):
    template = load_template(name)
    checked = check_tokenizer(template, tokenizer_for(template, kind))
    assert checked.failed == []
    assert checked.refused == []
    assert checked.passed > 10
