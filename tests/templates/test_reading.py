"""What a model wrote is read, however it is cut, and whatever is wrong with it."""

import json
import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luthier.core import TemplateError
from luthier.core.templates import Reply, load_template

from .conversations import ASKED, CALLED, TOOLS, called
from .test_every_template import NAMES, answer_of


def answer(name):
    """Return a template, and a call as its model writes it; None where it writes none."""
    template = load_template(name)
    if template.tools is None:
        return template, None
    try:
        pieces = template.render([ASKED, CALLED], TOOLS, training=True).pieces
    except TemplateError:
        return template, None
    said = "".join(piece.text for piece in answer_of(pieces)[1][:-1])
    return template, said if template.parse(said).calls else None


CALLS = {name: (template, said) for name in NAMES for template, said in [answer(name)] if said}


def styles():
    """Return one template for each way of writing calls."""
    seen = {}
    for name, (_, said) in CALLS.items():
        seen.setdefault(said, name)
    return sorted(seen.values())


def marked(template, said):
    """Return the places of the marks that a call begins and ends with."""
    style, thinking = template.tools, template.thinking
    marks = {style.open, style.close, *style.section, *template.special_tokens} - {""}
    marks |= {thinking.open, thinking.close} if thinking else set()
    return {
        at + n
        for mark in marks
        for at in range(len(said))
        if said.startswith(mark, at)
        for n in range(len(mark))
    }


def damaged(rng, text, at):
    """Return a text with the character at a place left out, doubled or replaced."""
    other = rng.choice(["", text[at] * 2, rng.choice("abz 9\"'{}[],:\n")])
    return text[:at] + other + text[at + 1 :]


@pytest.mark.parametrize("name", styles())
def test_malformed_answers_are_text_and_raise_nothing(name):
    template, said = CALLS[name]
    rng = random.Random(name)
    for _ in range(4_000 // len(styles()) + 1):
        text = said
        for _ in range(rng.randrange(1, 12)):
            at = rng.randrange(len(text) + 1)
            piece = said[rng.randrange(len(said)) :][: rng.randrange(12)]
            text = text[:at] + piece + text[at + rng.randrange(6) :]
        assert isinstance(template.parse(text), Reply)


@pytest.mark.parametrize("name", styles())
def test_a_wrong_character_within_a_call_does_not_lose_it(name):
    template, said = CALLS[name]
    rng = random.Random(name)
    places = [n for n in range(len(said)) if n not in marked(template, said)]
    texts = [damaged(rng, said, at) for at in places for _ in range(4)]
    kept = sum(bool(template.parse(text).calls) for text in texts)
    assert kept >= 0.95 * len(texts), [t for t in texts if not template.parse(t).calls][:5]


@pytest.mark.parametrize("name", styles())
def test_an_answer_is_read_alike_however_it_is_cut(name):
    template, said = CALLS[name]
    rng = random.Random(name)
    whole = (
        template.parse("Well.\n" + said) if not template.tools.at_start else template.parse(said)
    )
    text = said if template.tools.at_start else "Well.\n" + said
    for _ in range(50):
        assert piecewise(template, text, rng) == whole


def marks_of(template):
    """Return the texts that mean something to what reads a template's answers."""
    style, thinking = template.tools, template.thinking
    own = {style.open, style.close, *style.section, *template.special_tokens} - {""}
    return sorted(own | ({thinking.open, thinking.close} if thinking else set()))


def piecewise(template, text, rng):
    """Return what is read of a text that comes in pieces of one to eight characters."""
    reader, events, at = template.reader(), [], 0
    while at < len(text):
        size = rng.randrange(1, 9)
        events += reader.feed(text[at : at + size])
        at += size
    return reader.replied([*events, *reader.finish()])


PIECES = ["[", "]", "{", "}", "(", ")", "<", ">", '"', "'", "\\", "=", "'" * 3, ":", ",", ".", "/",
          " ", "  \n", "\n", "\r", "\t", "\0", "\u2028", "ü", "f", "name", '{"name": "f"', "f(a=1)",
          '{"a": 1}', "{{}}", "{[]}", "{[1]: 2}", "'\\d'", "1e999", "-" * 9, "<parameter=a>", "NaN",
          "</parameter>", "</function>", '<param name="a">', "<arg_key>", "a" * 40, "Action: ",
          "\nFinal Answer: ", "\nObservation:", "```", "<|message|>", "to=f"]  # fmt: skip


@pytest.mark.parametrize("name", styles())
def test_any_text_is_read_alike_however_it_is_cut(name):
    template, said = CALLS[name]
    rng = random.Random(name)
    cuts = [said[at : at + 12] for at in range(0, len(said), 12)]
    for _ in range(80):
        sources = [rng.choice([marks_of(template), PIECES, cuts, [said]]) for _ in range(12)]
        text = "".join(rng.choice(source) for source in sources[: rng.randrange(1, 13)])
        assert piecewise(template, text, rng) == template.parse(text), text


@pytest.mark.parametrize("name", styles())
def test_values_that_are_neither_json_nor_python_raise_nothing(name):
    template, said = CALLS[name]
    odd = [
        "{{}}",
        "{[]}",
        "{[1]: 2}",
        "'\\d'",
        "...",
        "{1}",
        "b''",
        "9" * 5000,
        "[" * 700 + "]" * 700,
    ]
    for value in odd:
        for quoted in ('"Köln"', "'Köln'", '<|"|>Köln<|"|>', "Köln"):
            reply = template.parse(said.replace(quoted, value))
            json.dumps([call.arguments for call in reply.calls])


@pytest.mark.parametrize("name", styles())
def test_long_and_nested_texts_are_read_in_no_time(name):
    template, said = CALLS[name]
    style, rng = template.tools, random.Random(name)
    whole, size = style.section[0] + style.open, 20_000
    begun = ["", whole, whole + '{"name": "f", "arguments": {"a": ', whole + "f(a=", said[:-20]]
    nested = [open_ * 2000 + close * 2000 for open_, close in ("[]", "{}", "()", ["{'a':", "}"])]
    repeated = [
        *marks_of(template),
        *rng.sample(PIECES, 16),
        "a.",
        "a ",
        "),\n",
        "[{",
        "-",
        "1+",
        '\\"',
        '{"name"',
    ]
    for text in [*nested, *((one * size)[:size] for one in repeated)]:
        before, started = rng.choice(begun), time.perf_counter()
        assert isinstance(template.parse(before + text + style.close), Reply)
        assert time.perf_counter() - started < 2, (before, text[:40])


words = st.text(st.sampled_from("abü \"'\n\t{}[]:,\\"), max_size=8).map(lambda text: f"x{text}y")
keys = st.text(st.sampled_from("abc_"), max_size=4).map(lambda text: f"k{text}")
values = st.recursive(
    words | st.integers(-9, 99) | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2),
    max_leaves=4,
)


@pytest.mark.parametrize("name", styles())
@given(
    arguments=st.lists(st.dictionaries(keys, values, max_size=3), min_size=1, max_size=2),
    said=words.map("Well, {}".format),
)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_calls_of_any_arguments_are_read_back_as_they_were(name, arguments, said):
    template = load_template(name)
    calls = called(*(("find_train", one) for one in arguments))
    asked = {**CALLED, "content": said, "tool_calls": calls}
    try:
        pieces = template.render([ASKED, asked], TOOLS, training=True).pieces
    except TemplateError:
        return  # some formats hold one call
    text = "".join(piece.text for piece in answer_of(pieces)[1][:-1])
    reply = template.parse(text)
    assert [call.arguments for call in reply.calls] == arguments
    assert {call.name for call in reply.calls} == {"find_train"}
    assert all(one.id == given["id"] for one, given in zip(reply.calls, calls, strict=True)
               if one.id and given["id"] in text)  # fmt: skip
    # some formats leave out the text beside a call, or write it as the thought that led to it
    assert said in (reply.content, reply.thinking) or said not in text
