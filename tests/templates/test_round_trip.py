"""What the loss counts is what was answered, for each chat template and each way to choose."""

import functools
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from luthier.core.data import BadValue, Conversation
from luthier.core.data.encoding import Encoder
from luthier.core.data.thoughts import Thoughts
from luthier.core.sections import EncodingSection
from luthier.core.templates import load_template
from luthier.plugins.formats.thoughts import answer
from luthier.registry import Catalogue

NAMES = [
    entry.name
    for entry in Catalogue.installed()
    if entry.kind == "templates" and entry.distribution == "luthier"
]


@functools.lru_cache(maxsize=1)
def template_and_tokenizer(name):
    """Return a template, and a tokenizer of bytes that has its special tokens."""
    template = load_template(name)
    bos, eos = template.bos_token or "<bos>", template.eos_token or "<eos>"
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokens = template.all_special_tokens(bos, eos)
    backend.add_special_tokens([AddedToken(token, special=True) for token in tokens])
    return template, PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=bos, eos_token=eos, clean_up_tokenization_spaces=False
    )


PARTS = [*"aZ09 \n\t\r.,'\"\\{}%#<|>[]éßñЖ中かע한ไय\u200b\u00a0\u2028\x00", "e\u0301", "🎻", "👩‍🔬"]


def printed(name, template, said, before):
    """Return an answer as its template prints it after a text."""
    said = said.strip() if "assistant" in template.strip else said
    # what the authors' text does of its own, which `strip` cannot tell
    if name == "falcon":
        return said.replace("\r\n", "\n").replace("\n\n", "\n")
    if name in {"qwq", "smollm3"}:
        return said.lstrip("\n")
    if name in {"qwen3", "qwen3-thinking"} and template.thinking.close in before:
        return said.lstrip("\n")
    return said.rstrip() if name == "nemotron-3" else said


def lookalikes(template):
    """Return what a text may hold of special tokens; by marks of thoughts, a template parts it."""
    marks = (template.thinking.open, template.thinking.close) if template.thinking else ()
    tokens = template.all_special_tokens("<s>", "<|im_end|>")
    return [one for one in tokens if not any(one in mark or mark in one for mark in marks)]


@st.composite
def rows(draw, tokens, *, system):
    """A conversation of up to three turns, some answers of which are not to be counted."""
    parts = st.lists(st.sampled_from([*PARTS, *tokens]), max_size=8).map("".join)
    contents = parts.map(lambda said: said if said.strip() else f"{said}a{said}")
    turns = draw(st.lists(st.tuples(contents, contents, st.booleans()), min_size=1, max_size=3))
    messages = []
    for asked, said, counted in turns:
        messages += [
            {"role": "user", "content": asked},
            {"role": "assistant", "content": said} | ({} if counted else {"train": False}),
        ]
    told = draw(contents) if system and draw(st.booleans()) else ""
    return Conversation(messages[:-1], messages[-1:], told)


def plain(row):
    """Return a row of the same shape, each of whose messages is a word."""
    said = [{**one, "content": f"word{n}."} for n, one in enumerate([*row.prompt, *row.response])]
    return Conversation(said[:-1], said[-1:], row.system and "Be brief.")


def has_system(encoder):
    """Return whether a template has a place for a system prompt."""
    asked, answer = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    (found,) = encoder.conversations([Conversation([asked], [answer], "Be brief.")])
    return not isinstance(found, BadValue)


def encoder(name, loss="answers"):
    """Return what encodes by a template, and lets the loss count what is told."""
    return Encoder(*template_and_tokenizer(name), EncodingSection(loss=loss))


class Stretch(NamedTuple):
    """Trained ids that follow each other, and what is before and after them."""

    before: list[int]
    ids: list[int]
    after: list[int]


def stretches(found):
    """Return what is trained of a row."""
    ids, mask = found[""]
    starts = [n for n, kept in enumerate(mask) if kept and not (n and mask[n - 1])]
    ends = [n for n, kept in enumerate(mask, 1) if kept and not (n < len(mask) and mask[n])]
    return [Stretch(ids[:a], ids[a:b], ids[b:]) for a, b in zip(starts, ends, strict=True)]


def said_by(template, tokenizer, stretch):
    """Return what is read of a trained answer, and see that it has the end that it has to."""
    stops = template.stop_ids(tokenizer)
    ended = stretch.ids[-1] in stops
    # authors who end no earlier answer have no token there that would stop it
    assert ended or (stretch.after and stretch.after[0] not in stops)
    text = tokenizer.decode(stretch.ids[:-1] if ended else stretch.ids)
    return template.parse(text, prompt=tokenizer.decode(stretch.before)).content


def compare(name, row):
    """See that what is trained of a row is its answers, and their ends, whatever is chosen."""
    template, tokenizer = template_and_tokenizer(name)
    messages = [*row.prompt, *row.response]
    answers = [n for n, one in enumerate(messages) if one["role"] == "assistant"]
    told = [n for n in answers if messages[n].get("train", True)]
    for loss, counted in (
        ("answers", told),
        ("last-answer", [n for n in answers[-1:] if n in told]),
    ):
        found, usual = map(stretches, encoder(name, loss).conversations([row, plain(row)]))
        for n, made, model in zip(counted, found, usual, strict=True):
            word = f"word{n}."
            assert said_by(template, tokenizer, model) == word
            before, _, after = tokenizer.decode(model.ids).partition(word)
            said = printed(name, template, messages[n]["content"], before)
            assert tokenizer.decode(made.ids) == before + said + after
            special = tokenizer.added_tokens_decoder.keys()
            assert [i for i in made.ids if i in special] == [i for i in model.ids if i in special]
    (whole,), (usual,) = (encoder(name, loss).conversations([row]) for loss in ("all", "answers"))
    assert (whole[""].ids, all(whole[""].mask)) == (usual[""].ids, True)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_trained_is_what_was_answered_and_its_end(name, data):
    template, _ = template_and_tokenizer(name)
    compare(name, data.draw(rows(lookalikes(template), system=has_system(encoder(name)))))


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_keeps_the_white_space_that_its_template_does_not_strip(name):
    asked = {"role": "user", "content": "a"}
    for space in ("\n", " ", "\t\n "):
        answer = {"role": "assistant", "content": f"{space}b{space}"}
        compare(name, Conversation([asked, answer, asked], [answer]))


@pytest.mark.parametrize("name", NAMES)
def test_thoughts_that_stood_in_an_answer_are_read_back_or_counted(name):
    template, tokenizer = template_and_tokenizer(name)
    for written in ("<think>\nA sum.\n</think>\n\nThree.", "<think>A sum.</think>Three."):
        row = Conversation([{"role": "user", "content": "Why?"}], [answer(written)])
        (found,) = encoder(name).conversations([row])
        (stretch,) = stretches(found)
        text = tokenizer.decode(stretch.ids[:-1])
        reply = template.parse(text, prompt=tokenizer.decode(stretch.before))
        if Thoughts(template).are_left_out(row):
            assert (reply.content.strip(), reply.thinking) == ("Three.", "")
        elif template.thinking is None or reply.content == written:
            assert printed(name, template, written, "") in text
        else:
            assert (reply.content, reply.thinking) == ("Three.", "A sum.")
