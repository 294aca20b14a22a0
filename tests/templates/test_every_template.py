"""What holds for each chat template: one text by every road, and the right part of it trained."""

import datetime
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers.utils import chat_template_utils

from luthier.core import TemplateError
from luthier.core.templates import load_template
from luthier.registry import Catalogue

from .conversations import CHATS, CHATS_WITH_TOOLS, TOOLS, random_chats

NOW = datetime.datetime(2025, 3, 14, 9, 26)
NAMES = [
    entry.name
    for entry in Catalogue.installed()
    if entry.kind == "templates" and entry.distribution == "luthier"
]
SHAPES = [(name, chat, None) for name, chat in CHATS.items()] + [
    (name, chat, TOOLS) for name, chat in CHATS_WITH_TOOLS.items()
]


@pytest.fixture(autouse=True, scope="module")
def the_date():
    """The moment that transformers' templates print."""

    class Fixed(datetime.datetime):
        @classmethod
        def now(cls, tz=None):  # noqa: ARG003
            return NOW

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat_template_utils, "datetime", Fixed)
        yield


def by_transformers(template, chat, tools, prompt):
    """Return what transformers renders of a template's exported Jinja."""
    texts, _ = chat_template_utils.render_jinja_template(
        [chat], tools=tools, chat_template=template.jinja(), add_generation_prompt=prompt,
        bos_token=template.bos_token, eos_token=template.eos_token,
    )  # fmt: skip
    return texts[0]


def rendered(template, chat, tools, **how):
    """Return a rendering, or None for what the template says that it has no place for."""
    try:
        return template.render(chat, tools, now=NOW, **how)
    except TemplateError:
        return None


def answer_of(pieces):
    """Return what stands before the last trained stretch, and the stretch."""
    end = max(n for n, piece in enumerate(pieces) if piece.trained) + 1
    start = end
    while start and pieces[start - 1].trained:
        start -= 1
    return pieces[:start], pieces[start:end]


@pytest.mark.parametrize("name", NAMES)
def test_it_renders_what_its_exported_jinja_does(name):
    template = load_template(name)
    seen = 0
    for _, chat, tools in SHAPES:
        for prompt in (False, True):
            found = rendered(template, chat, tools, generation_prompt=prompt)
            if found is not None:
                seen += 1
                assert found.text == by_transformers(template, chat, tools, prompt)
    assert seen >= 4


@pytest.mark.parametrize("name", NAMES)
@given(
    drawn=st.booleans().flatmap(
        lambda offered: st.tuples(random_chats(tools=offered), st.just(TOOLS if offered else None))
    ),
    prompt=st.booleans(),
)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_contents_are_rendered_alike_and_stay_text(name, drawn, prompt):
    template, (chat, tools) = load_template(name), drawn
    found = rendered(template, chat, tools, generation_prompt=prompt)
    if found is not None:
        assert found.text == by_transformers(template, chat, tools, prompt)
    before = rendered(template, chat[:-1], tools, generation_prompt=True)
    whole = rendered(template, chat, tools, training=True)
    if whole is None or before is None or template.thinking is not None or name in UNLIKE:
        return
    trained = [n for n, piece in enumerate(whole.pieces) if piece.trained]
    if name in DROPS_EMPTY_TURNS and any(not message["content"].strip() for message in chat):
        return
    last = whole.pieces[trained[-1]]
    assert (last.special, last.text in template.ends()) == (True, True)
    assert whole.text.startswith(before.text)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "chat", "tools"), SHAPES, ids=[shape for shape, _, _ in SHAPES])
def test_an_answer_is_trained_from_the_prompt_to_its_end(name, shape, chat, tools):
    template = load_template(name)
    pairs = [
        (rendered(template, chat, tools, training=True, **mode),
         rendered(template, chat[:-1], tools, generation_prompt=True, **mode))
        for mode in modes(template)
    ]  # fmt: skip
    if None in pairs[0]:
        pytest.skip("the format has no place for this, and says so")
    following = [
        (*answer_of(found.pieces), prompt.text, found)
        for found, prompt in pairs
        if "".join(piece.text for piece in answer_of(found.pieces)[0]) == prompt.text
    ]
    thinking = template.thinking
    dropped = thinking is not None and thinking.prompted and thinking.kept == "none"
    if not following:
        # the prompt opens thoughts that the authors' text of an answer has not
        assert dropped or name in UNLIKE_THE_PROMPT or (name, shape) in UNLIKE_THE_PROMPT
        return
    before, answer, prompt, found = following[0]
    assert answer[-1].text in template.ends()
    assert answer[-1].special
    stretches = sum(b.trained and not a.trained for a, b in pairwise([before[0], *found.pieces]))
    assert stretches == sum(message["role"] == "assistant" for message in chat)
    said = "".join(piece.text for piece in answer[:-1])
    for reply in (template.parse(said, prompt=prompt), by_character(template, said, prompt)):
        message = chat[-1]
        # some formats leave out the text beside a call, and thoughts that are not in the content
        content = message["content"] if message["content"] in said else ""
        thoughts = message.get("reasoning_content", "")
        thoughts = thoughts if template.thinking and thoughts in said else ""
        if (name, shape) in SAID_AS_A_THOUGHT:
            content, thoughts = "", content
        assert (reply.content, reply.thinking) == (content, thoughts)
        calls = [
            (c["function"]["name"], c["function"]["arguments"])
            for c in message.get("tool_calls", [])
        ]
        assert [(call.name, call.arguments) for call in reply.calls] == calls


def modes(template):
    """Return the options that set how a model thinks, or leave it; an answer is of one mode."""
    switches = {
        "enable_thinking": (False, True), "thinking": (False, True), "reasoning_effort": ("high",),
    }  # fmt: skip
    own = template.options.keys() & switches.keys()
    return [{}, *({switch: value} for switch in sorted(own) for value in switches[switch])]


UNLIKE_THE_PROMPT: set[str | tuple[str, str]] = {
    # the hub's prompt ends in a carriage return, its answers begin with a space
    "deepseek-moe",
    # the hub's prompt names the answer's addressee, and its answers do not
    "codellama-70b",
    # the authors go on with the same turn after results, and begin another one in the prompt
    ("apertus", "two results"),
    ("apertus", "a system message and a result"),
    # the authors open thoughts in the prompt, and answers without any do not
    *(
        (name, shape)
        for name in ("olmo3-think", "minimax-m2")
        for shape in (*CHATS, *CHATS_WITH_TOOLS)
        if shape != "thoughts"
    ),
    # the authors leave the answer's tag out before a call without a text
    ("falcon3", "a call"),
    ("falcon3", "two calls"),
    # the hub's text has the system prompt, and so the tools, in a question that is the last message
    *(("mixtral-8x22b", shape) for shape in ("a system message", *CHATS_WITH_TOOLS)),
}
"""Where the authors' text of a prompt is not what their answers follow."""


DROPS_EMPTY_TURNS = {"glm-4"}
UNLIKE = {name if isinstance(name, str) else name[0] for name in UNLIKE_THE_PROMPT}
"""Those, whatever is said."""

SAID_AS_A_THOUGHT = {
    ("command-a-reasoning", "a call beside text"),
    ("gpt-oss", "a call beside text"),
}
"""Where the authors write the text beside a call as the thought that led to it."""


def by_character(template, text, prompt):
    """Return what a template reads of a text that comes in a character at a time."""
    reader = template.reader(prompt=prompt)
    events = [event for character in text for event in reader.feed(character)]
    return reader.replied([*events, *reader.finish()])
