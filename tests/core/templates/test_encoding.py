"""Ids of a rendered conversation are those of the whole text, whatever the tokenizer."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizer, PreTrainedTokenizerFast

from luthier.core.templates import ChatTemplate
from luthier.core.templates.fitting import fitted
from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.mistral import TEMPLATE as MISTRAL

SPECIAL = ["<|im_start|>", "<|im_end|>"]
CORPUS = [
    "user assistant system", "A luthier makes string instruments, and mends them too.",
    "What is the weather in Paris? It is 21 degrees and sunny.", "  two spaces\n\nand lines\t.",
    "<|im_start|> looks like a token, and im_end too", "Quelle heure est-il ? 你好，世界。",
] * 20  # fmt: skip


def trained(model, trainer, pre_tokenizer, decoder):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", unk_token="<unk>",
        additional_special_tokens=SPECIAL,
    )  # fmt: skip


def byte_level():
    return trained(
        models.BPE(),
        trainers.BpeTrainer(
            vocab_size=400, special_tokens=["<unk>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
        pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel(),
    )  # fmt: skip


def metaspace(scheme):
    return trained(
        models.BPE(unk_token="<unk>"),
        trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>"]),
        pre_tokenizers.Metaspace(prepend_scheme=scheme), decoders.Metaspace(prepend_scheme=scheme),
    )  # fmt: skip


def unigram():
    return trained(
        models.Unigram(),
        trainers.UnigramTrainer(vocab_size=200, unk_token="<unk>", special_tokens=["<unk>"]),
        pre_tokenizers.Metaspace(prepend_scheme="first"),
        decoders.Metaspace(prepend_scheme="first"),
    )


class Bytes(PreTrainedTokenizer):
    """As the first ChatGLM and Qwen: it knows its special tokens' ids, and cannot encode them."""

    def __init__(self, **settings):
        self.known = {f"{n:02x}": n for n in range(256)} | {
            t: 256 + n for n, t in enumerate(SPECIAL)
        }
        super().__init__(**settings)

    @property
    def vocab_size(self):
        return len(self.known)

    def get_vocab(self):
        return dict(self.known)

    def _tokenize(self, text):
        return [f"{byte:02x}" for byte in text.encode()]

    def _convert_token_to_id(self, token):
        return self.known[token]

    def _convert_id_to_token(self, index):
        return next(token for token, i in self.known.items() if i == index)


AFTER_A_TOKEN = CHATML.derived(answer_prefix="<|im_start|>")

TOKENIZERS = {
    "byte-level BPE": byte_level(),
    "metaspace BPE, a space at the start": metaspace("first"),
    "metaspace BPE, a space after special tokens too": metaspace("always"),
    "metaspace BPE, no space": metaspace("never"),
    "unigram": unigram(),
}

words = st.text(st.sampled_from("abc lo\n\t.,<|>im_endé你"), max_size=20)
contents = words.filter(lambda text: not any(token in text for token in SPECIAL))


def chat_of(*texts):
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(texts=st.lists(contents, min_size=1, max_size=4), prompt=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_ids_of_ordinary_text_are_those_of_the_whole_text(kind, texts, prompt):
    tokenizer = TOKENIZERS[kind]
    chat = chat_of(*texts)
    text = CHATML.render(chat, generation_prompt=prompt, training=True).text
    whole = tokenizer(text, add_special_tokens=False)["input_ids"]
    found = CHATML.encode(chat, tokenizer, generation_prompt=prompt)
    # here an answer begins after ordinary text, so it is cut there, and ids may differ at the cut
    assert tokenizer.decode(found.ids) == tokenizer.decode(whole)
    # and here it begins after a special token
    text = AFTER_A_TOKEN.render(chat, generation_prompt=prompt, training=True).text
    whole = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert AFTER_A_TOKEN.encode(chat, tokenizer, generation_prompt=prompt).ids == whole


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(asked=words, typed=st.sampled_from(SPECIAL))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_special_token_that_a_user_types_stays_text(kind, asked, typed):
    tokenizer = TOKENIZERS[kind]
    chat = [{"role": "user", "content": f"{asked}{typed}{asked}"}]
    special = tokenizer.convert_tokens_to_ids(SPECIAL)
    ids = CHATML.encode(chat, tokenizer).ids
    assert [i for i in ids if i in special] == special


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_tokenizer_that_cannot_encode_its_special_tokens_is_given_their_ids(texts):
    tokenizer = Bytes()
    chat = chat_of(*texts)
    expected = []
    for piece in CHATML.render(chat, training=True).pieces:
        if piece.special:
            expected.append(256 + SPECIAL.index(piece.text))
        else:
            expected += list(piece.text.encode())
    assert CHATML.encode(chat, tokenizer).ids == expected


def test_a_prompt_is_a_prefix_where_no_special_token_stands_before_the_answer():
    tokenizer = metaspace("first")
    tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    chat = chat_of("What is it?", "An instrument.")
    whole = MISTRAL.encode(chat, tokenizer)
    prompt = MISTRAL.encode(chat[:1], tokenizer, generation_prompt=True).ids
    assert whole.ids[: len(prompt)] == prompt
    assert whole.mask == [n >= len(prompt) for n in range(len(whole.ids))]
    # the declared boundary is "[/INST]" and " An": the one difference from the whole text
    text = MISTRAL.render(chat, training=True).text
    assert tokenizer.decode(whole.ids) == tokenizer.decode(
        tokenizer(text, add_special_tokens=False)["input_ids"]
    )


def with_plain_tokens():
    """A tokenizer as Qwen3's: tokens that are not special were added after the special ones."""
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    return tokenizer


def test_added_tokens_that_are_not_special_keep_their_ids():
    tokenizer = with_plain_tokens()
    text = "<think>\nWell.</think> <think>"
    found = CHATML.encode([{"role": "user", "content": text}], tokenizer).ids
    whole = tokenizer(f"<|im_start|>user\n{text}<|im_end|>\n", add_special_tokens=False)[
        "input_ids"
    ]
    assert found == whole
    assert found.count(tokenizer.convert_tokens_to_ids("<think>")) == 2


def test_a_token_that_the_template_alone_holds_for_special_is_no_user_s_to_type():
    tokenizer = with_plain_tokens()
    template = CHATML.derived(special_tokens=(*SPECIAL, "<think>"), answer_prefix="<think>")
    special = tokenizer.convert_tokens_to_ids("<think>")
    ids = template.encode(chat_of("a <think> b", "<think>"), tokenizer).ids
    assert ids.count(special) == 1
    assert tokenizer.decode(ids).count("<think>") == 3


class Knowing(Bytes):
    """As the first Qwen: it makes a token of its text without having declared it special."""

    def __init__(self, **settings):
        super().__init__(**settings)

    def _tokenize(self, text):
        parts = re.split("(<[|]im_start[|]>|<[|]im_end[|]>)", text)
        return [
            token
            for n, part in enumerate(parts)
            for token in ([part] if n % 2 else super(Knowing, self)._tokenize(part))
        ]


@pytest.mark.parametrize("tokenizer", [Knowing(), byte_level()], ids=["python", "byte-level"])
def test_special_tokens_that_are_typed_often_and_into_one_another_stay_text(tokenizer):
    typed = "<|im_end|>" * 2000 + "<|im_<|im_end|>end|>"
    ids = CHATML.encode([{"role": "user", "content": typed}], tokenizer).ids
    special = tokenizer.convert_tokens_to_ids(SPECIAL)
    assert [i for i in ids if i in special] == special


def test_an_empty_answer_is_ended_and_so_is_one_that_says_the_end():
    template = CHATML.derived(answer_end="", answer_suffix="", finish="")
    for said in ("", "<|im_end|>"):
        rendered = template.render(chat_of("a", said), training=True)
        assert rendered.pieces[-1] == ("<|im_end|>", True, True)
        assert rendered.text.count("<|im_end|>") == 2 + bool(said)


def test_a_text_may_be_a_stop_and_the_eos_ends_an_answer_then():
    tokenizer = byte_level()
    slots = ChatTemplate(user="U:{{ content }}\n", answer_prefix="A:", stops=("U:",))
    template = fitted(slots, tokenizer)
    assert template.stops == ("U:", "<|im_end|>")
    ids, mask = template.encode(chat_of("a", "b"), tokenizer)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert (ids[-1], mask[-1], template.stop_ids(tokenizer)) == (end, True, [end])
