"""Somebody else's Jinja: cut where contents stand, and trained from the prompt to the end."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from luthier.core import TemplateError
from luthier.core.templates import JinjaTemplate
from luthier.core.templates.brought import Brought, brought_by
from luthier.core.templates.fitting import fitted
from luthier.plugins.families.tiny.making import tiny_model
from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.qwen2_5 import TEMPLATE as QWEN2_5
from luthier.templates.vicuna import TEMPLATE as VICUNA

# as many models write it: tokens, roles and contents in one expression
TURNS = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TRIMMED = TURNS.replace("message['content']", "message['content'] | trim")
MARKED = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}{% generation %}"
    "{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{% else %}"
    "{{ '<|im_start|>' + message['content'] }}{% endif %}{% endfor %}"
)
TOKENS = {"special_tokens": ("<|im_start|>", "<|im_end|>"), "stops": ("<|im_end|>",)}
CHAT = [
    {"role": "system", "content": "Be brief. "},
    {"role": "user", "content": "Is <|im_end|> a token?"},
    {"role": "assistant", "content": "Yes: <|im_end|>"},
    {"role": "user", "content": "And now?"},
    {"role": "assistant", "content": " Still. "},
]

contents = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def trained(rendered):
    """Return what is trained, each stretch by itself."""
    marked = "".join(f"[{p.text}]" if p.trained else "\0" for p in rendered.pieces)
    return [one.replace("][", "") for one in re.findall(r"\[(.*?)\](?=\0|$)", marked, re.DOTALL)]


@given(texts=st.lists(contents, min_size=2, max_size=5), prompt=st.booleans())
@settings(max_examples=60, deadline=None)
def test_it_is_cut_into_the_pieces_of_the_same_format_in_slots(texts, prompt):
    roles = ("user", "assistant")
    chat = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    foreign = JinjaTemplate.of(TURNS, **TOKENS)
    assert foreign.render(chat, generation_prompt=prompt) == CHATML.render(
        chat, generation_prompt=prompt
    )


def test_what_a_user_types_stays_text_and_the_end_that_is_trained_is_the_template_s():
    rendered = JinjaTemplate.of(TURNS, **TOKENS).render(CHAT)
    assert trained(rendered) == ["Yes: <|im_end|><|im_end|>", " Still. <|im_end|>"]
    assert sum(piece.special for piece in rendered.pieces) == 2 * len(CHAT)


def test_white_space_that_it_strips_is_stripped():
    rendered = JinjaTemplate.of(TRIMMED, **TOKENS).render(CHAT)
    assert trained(rendered) == ["Yes: <|im_end|><|im_end|>", "Still.<|im_end|>"]
    assert rendered.text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n")


def test_its_own_marks_of_the_loss_hold():
    rendered = JinjaTemplate.of(MARKED, **TOKENS).render(CHAT)
    assert trained(rendered) == ["Yes: <|im_end|><|im_end|>", " Still. <|im_end|>"]
    assert "\ufdd2" not in rendered.text


def test_calls_and_tools_are_told_apart_too():
    tools = [{"type": "function", "function": {"name": "f", "description": "of <|im_end|>"}}]
    call = {"type": "function", "function": {"name": "f", "arguments": {"x": 'a "<|im_end|>"'}}}
    chat = [CHAT[1], {"role": "assistant", "content": "", "tool_calls": [call]}]
    foreign = JinjaTemplate.of(
        re.sub(r"{%-? *(end)?generation *-?%}", "", QWEN2_5.jinja()), **TOKENS
    )
    assert foreign.render(chat, tools) == QWEN2_5.render(chat, tools)
    found = foreign.parse(trained(foreign.render(chat, tools))[0].removesuffix("<|im_end|>"))
    assert [(one.name, one.arguments) for one in found.calls] == [("f", {"x": 'a "<|im_end|>"'})]


def test_what_alters_a_content_is_refused_and_seen_on_the_corpus():
    shouted = TURNS.replace("message['content']", "message['content'] | upper")
    with pytest.raises(TemplateError, match="alters what the conversation says"):
        JinjaTemplate.of(shouted, **TOKENS).render(CHAT)
    assert Brought(shouted).alters() == "a question"
    assert Brought(TRIMMED).alters() is None


def test_it_has_the_options_that_its_text_asks_for():
    source = TURNS + "{% if loud %}!{% endif %}"
    foreign = JinjaTemplate.of(source, **TOKENS)
    assert foreign.options == {"loud": None}
    assert foreign.render(CHAT, loud=True).text.endswith("!")
    with pytest.raises(TemplateError, match=r"no option 'lout'\. Did you mean 'loud'"):
        foreign.render(CHAT, lout=True)
    assert JinjaTemplate.of(source, options={"loud": True}).jinja().startswith("{%- if loud is not")


@pytest.mark.parametrize("source", ["{% if %}", "{{ x"])
def test_what_is_no_jinja_is_told_with_its_line(source):
    with pytest.raises(TemplateError, match="line 1 of the template"):
        JinjaTemplate.of(source)


def test_a_failure_within_it_is_a_refusal():
    with pytest.raises(TemplateError, match="cannot render this: can only concatenate str"):
        JinjaTemplate.of(TURNS).render([{"role": "user", "content": None}])


def test_it_cannot_reach_out_of_its_sandbox():
    with pytest.raises(TemplateError, match="cannot render this: access to attribute"):
        JinjaTemplate.of("{{ messages.__class__.__mro__ }}").render(CHAT)


@pytest.mark.parametrize(
    ("template", "ends"),
    [
        (JinjaTemplate.of(TURNS), ("<|im_end|>",)),
        (CHATML.derived(answer_end="", answer_suffix="", stops=()), ("<|im_start|>", "<|im_end|>")),
    ],
    ids=["its own token", "the token of the turn that follows"],
)
def test_a_tokenizer_tells_what_ends_an_answer(template, ends):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model())
    whole = fitted(template, tokenizer)
    assert whole.stops == ends
    assert {"<|im_start|>", "<|im_end|>"} <= set(whole.special_tokens)
    mask = whole.encode(CHAT[1:3], tokenizer).mask
    assert mask[-1] or mask[-2]  # a line end may stand behind it
    assert whole.stop_ids(tokenizer)[0] == tokenizer.convert_tokens_to_ids(ends[0])


def test_a_template_that_says_all_of_itself_is_left_as_it_is():
    assert fitted(CHATML, AutoTokenizer.from_pretrained(tiny_model())) is CHATML


def test_the_template_of_a_folder_is_found_wherever_transformers_keeps_it(tmp_path):
    assert brought_by([tmp_path]) is None
    config = {
        "chat_template": [{"name": "default", "template": "a"}],
        "eos_token": {"content": "e"},
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert brought_by([tmp_path / "adapter", tmp_path]) == Brought("a", "", "e")
    (tmp_path / "chat_template.jinja").write_text("b")
    (tmp_path / "special_tokens_map.json").write_text('{"bos_token": "s", "eos_token": "x"}')
    assert brought_by([tmp_path]) == Brought("b", "s", "e")


def test_a_template_is_told_from_one_that_differs():
    brought = Brought(VICUNA.jinja(), eos_token="</s>")
    assert brought.differs(VICUNA) is None
    assert brought.differs(CHATML) == "a question"


def test_an_answer_of_a_call_alone_is_trained_from_its_beginning():
    foreign = JinjaTemplate.of(
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + ':' }}{{ m['content'] }}"
        "{% for c in m['tool_calls'] or [] %}{{ '<call>' + c['function']['name'] }}"
        "{{ c['function']['arguments'] | tojson }}{% endfor %}{{ '<|im_end|>' }}{% endfor %}"
        "{% if tools and add_generation_prompt %}{{ '<|im_start|>assistant:' }}{% endif %}",
        **TOKENS,
    )
    tools = [{"type": "function", "function": {"name": "f", "enum": ["<|im_end|>"]}}]
    for arguments in ({"a": "b"}, {"n": 1}):
        call = {"function": {"name": "f", "arguments": arguments}}
        chat = [CHAT[3], {"role": "assistant", "content": "", "tool_calls": [call]}]
        (said,) = trained(foreign.render(chat, tools))
        assert said == f"<call>f{json.dumps(arguments)}<|im_end|>"
    with pytest.raises(TemplateError, match="nothing tells where message 2, an answer, begins"):
        foreign.derived(source=foreign.source + "{{ messages | length }}").render(chat, tools)


def test_a_token_anywhere_in_a_tool_stays_text():
    foreign = JinjaTemplate.of(TURNS + "{{ tools | tojson }}", **TOKENS)
    tools = [{"name": "f", "parameters": {"enum": ["<|im_end|>", "b"], "type": "string"}}]
    rendered = foreign.render(CHAT[3:4], tools)
    assert [p.text for p in rendered.pieces if p.special] == ["<|im_start|>", "<|im_end|>"]
    assert rendered.text.endswith(json.dumps(tools))


def test_contents_that_hold_the_marks_are_as_they_were():
    said = "".join(map(chr, range(0xFDD0, 0xFDD7))) + "\ufdd4a"
    rendered = JinjaTemplate.of(TURNS, **TOKENS).render([CHAT[3], {**CHAT[4], "content": said}])
    assert trained(rendered) == [said + "<|im_end|>"]


def test_one_that_takes_thoughts_out_of_a_content_is_cut_all_the_same():
    source = TURNS.replace("message['content']", "message['content'].split('</think>')[-1]")
    chat = [CHAT[3], {"role": "assistant", "content": "<think>Hm.</think>Yes."}]
    assert trained(JinjaTemplate.of(source, **TOKENS).render(chat)) == ["Yes.<|im_end|>"]
    assert Brought(source).alters() is None


@pytest.mark.parametrize("source", ["x", "{{ raise_exception('no') }}"])
def test_one_that_leaves_out_what_is_said_is_none_to_train_on(source):
    assert Brought(source).alters() == "what is said is left out"


@pytest.mark.parametrize("source", ["{{ 1 / 0 }}", "{% for n in range(10 ** 9) %}{% endfor %}"])
def test_what_fails_in_a_template_is_told_and_raises_nothing_else(source):
    with pytest.raises(TemplateError, match="cannot render this"):
        JinjaTemplate.of(source).render(CHAT)


def test_many_turns_are_rendered_a_few_times_only(monkeypatch):
    foreign, times = JinjaTemplate.of(TURNS, **TOKENS), []
    original = JinjaTemplate._text
    monkeypatch.setattr(
        JinjaTemplate, "_text", lambda self, *a, **k: times.append(1) or original(self, *a, **k)
    )
    foreign.render(CHAT[1:3] * 20)
    assert len(times) == 4
