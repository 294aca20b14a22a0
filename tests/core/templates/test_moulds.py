"""A rendering that is used again is what the template makes of the new contents."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core import TemplateError
from luthier.core.templates import ChatTemplate, load_template

contents = st.text(max_size=8) | st.sampled_from(
    [
        "",
        " ",
        "a\n",
        "<think>x</think>y",
        "</think>",
        "\ufdd0\ufdd5\ufdd7" + "0\ufdd8",
        "<|im_end|>",
    ]
)


def asked(text, answer="yes", **more):
    """Return a question and its answer."""
    answered = {"role": "assistant", "content": answer, **more}
    return [{"role": "user", "content": text}, answered]


@pytest.mark.parametrize(
    "name", ["chatml", "qwen3", "deepseek-r1", "nemotron-3", "gemma4", "glm-4.5"]
)
@given(st.lists(st.tuples(contents, contents, contents), min_size=2, max_size=4))
def test_it_is_what_a_template_without_any_gives(name, said):
    used = load_template(name).derived()
    for question, thought, answer in said:
        chat = asked(question, answer, reasoning_content=thought)
        assert used.render(chat, training=True) == used.derived().render(chat, training=True)


SPLIT = "{{ content.split('|')[0] }}{% if '|' in content %}+{{ content.split('|')[1] }}{% endif %}"


@pytest.mark.parametrize(
    ("slot", "texts"),
    [
        (SPLIT, ["a", "a|b", "c|d|e", "|"]),
        ("{{ content[1:] + '.' }}", ["abc", "b", ""]),
        ("{{ '<' + content.strip() + '>' }}", [" a ", "b", "  "]),
        ("{{ content | trim | upper }}", [" ab ", "c"]),
        ("{% if content == '1' %}one{% else %}{{ content }}{% endif %}", ["2", "1"]),
        ("{% if content in ['1', '2'] %}few{% endif %}", ["3", "1", "2"]),
        ("{% if content.startswith(('a', 'b')) %}!{% endif %}{{ content }}", ["a", "c", "b"]),
        ("{{ '%s!' % content }}", ["a", "b"]),
        ("{{ content ~ '!' }}", ["a", "b"]),
        ("{{ content | tojson }}", ['"', "b"]),
        ("{{ content | length }}", ["a", "bb"]),
        ("{{ {'a': 1}[content] }}", ["a", "b"]),
        ("{% for letter in content %}{{ letter }}.{% endfor %}", ["ab", "c"]),
        ("{% set x %}<{{ content }}>{% endset %}{{ x }}{% if '<a' in x %}!{% endif %}", ["b", "a"]),
        ("{% set x %}{{ content }}{% endset %}{% if x %}{{ x }}{% else %}-{% endif %}", ["b", ""]),
        ("{% set x %}<{{ content }}>{% endset %}{{ x }}{{ x }}", ["b", "", "a"]),
        ("{{ content.replace('a', 'b') if content.isalpha() else content }}", ["a", "1"]),
        ("{{ content == message['content'] }}{{ content + content }}", ["a", "bc"]),
    ],
)
def test_whatever_a_template_asks_of_a_content_is_asked_again(slot, texts):
    facts = {"user": slot, "answer": "{{ content }}", "answer_end": ";"}
    used = ChatTemplate(**facts)
    for text in [*texts, *reversed(texts)]:
        assert used.render(asked(text)) == ChatTemplate(**facts).render(asked(text))


def test_a_date_is_that_of_each_rendering():
    template = ChatTemplate(begin="{{ strftime_now('%Y') }} ")
    texts = [template.render(asked("a"), now=datetime(year, 1, 1)).text for year in (2024, 2025)]
    assert texts == ["2024 ayes", "2025 ayes"]


def test_options_roles_and_tokens_are_told_apart():
    template = ChatTemplate(
        begin="{{ bos_token }}{% if a %}A{% endif %}{% if b %}B{% endif %}",
        system="({{ content }})",
        bos_token="<s>",
        options={"a": None, "b": None},
    )
    chat = asked("?", "!")
    ways = [{}, {"a": True}, {"b": True}, {"bos_token": "<t>"}, {"generation_prompt": True}]
    texts = [template.render(chat, **how).text for how in ways]
    assert texts == ["<s>?!", "<s>A?!", "<s>B?!", "<t>?!", "<s>?!"]
    turned = [{**chat[1], "role": "system"}, chat[0]]
    assert template.render(turned).text == "<s>(!)?"


def test_a_content_that_the_template_refuses_is_refused_whatever_came_before():
    template = ChatTemplate(user="{% if not content %}{{ raise_exception('none') }}{% endif %}")
    template.render(asked("a"))
    for _ in range(2):
        with pytest.raises(TemplateError, match="none"):
            template.render(asked(""))
    template.render(asked("b"))
