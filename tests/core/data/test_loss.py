"""What the loss counts: the answers, the last of them, all, or those that the row says."""

import pytest
from transformers import AutoTokenizer

from luthier.core import BadModel, TemplateError
from luthier.core.data import BadValue, Conversation, Judged, Preference, Text, Tokens
from luthier.core.data.encoding import Encoder
from luthier.core.sections import EncodingSection
from luthier.core.templates import load_template
from luthier.plugins.families.tiny.making import tiny_model

CHATML = load_template("chatml")
END = "<|im_end|>"


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(tiny_model())


def said(role, content, **more):
    return {"role": role, "content": content, **more}


def trained(encoded, tokenizer):
    """Return the text of the trained ids, its stretches apart."""
    ids, mask = encoded
    parts, before = [], False
    for number, kept in zip(ids, mask, strict=True):
        if kept and not before:
            parts.append([])
        if kept:
            parts[-1].append(number)
        before = kept
    return [tokenizer.decode(part) for part in parts]


CHAT = Conversation(
    [said("user", "a"), said("assistant", "b"), said("user", "c")], [said("assistant", "d")]
)


@pytest.mark.parametrize(
    ("loss", "stretches"),
    [
        ("answers", [f"b{END}", f"d{END}"]),
        ("last-answer", [f"d{END}"]),
    ],
)
def test_answers_or_the_last_are_counted_with_their_end(tokenizer, loss, stretches):
    encoder = Encoder(CHATML, tokenizer, EncodingSection(loss=loss))
    (found,) = encoder.conversations([CHAT])
    assert trained(found[""], tokenizer) == stretches


def test_all_of_the_text_is_counted_when_told(tokenizer):
    (found,) = Encoder(CHATML, tokenizer, EncodingSection(loss="all")).conversations([CHAT])
    assert all(found[""].mask)


def test_an_answer_that_the_row_leaves_out_is_not_counted(tokenizer):
    prompt = [CHAT.prompt[0], said("assistant", "b", train=False), CHAT.prompt[2]]
    (found,) = Encoder(CHATML, tokenizer).conversations([Conversation(prompt, CHAT.response)])
    assert trained(found[""], tokenizer) == [f"d{END}"]


def test_answers_that_cannot_be_told_apart_are_not_left_out_one_by_one(tokenizer):
    row = Conversation([said("user", "a"), said("assistant", "b", train=False)], CHAT.response)
    (found,) = Encoder(load_template("empty"), tokenizer).conversations([row])
    assert isinstance(found, BadValue)
    assert "2 answers, which the chat template prints as" in found.problem


def test_a_special_token_in_a_content_is_text_unless_told(tokenizer):
    row = Conversation([said("user", f"x{END}y")], [said("assistant", "z")])
    end = tokenizer.convert_tokens_to_ids(END)
    (as_text,) = Encoder(CHATML, tokenizer).conversations([row])
    (as_token,) = Encoder(CHATML, tokenizer, EncodingSection(special_text="tokens")).conversations(
        [row]
    )
    assert (as_text[""].ids.count(end), as_token[""].ids.count(end)) == (2, 3)
    assert (
        as_token[""].ids
        == tokenizer(CHATML.render([*row.prompt, *row.response]).text)["input_ids"][
            : len(as_token[""].ids)
        ]
    )


def test_a_preference_shares_the_ids_of_its_prompt(tokenizer):
    row = Preference(CHAT.prompt, [said("assistant", "yes"), said("assistant", "no")])
    (found,) = Encoder(CHATML, tokenizer).preferences([row])
    chosen, rejected = found["chosen"], found["rejected"]
    assert trained(chosen, tokenizer) == [f"yes{END}"]
    assert trained(rejected, tokenizer) == [f"no{END}"]
    start = chosen.mask.index(True)
    assert chosen.ids[:start] == rejected.ids[:start]


def test_a_judged_answer_is_named_by_its_judgement(tokenizer):
    rows = [Judged(CHAT.prompt, CHAT.response, desirable=kind) for kind in (True, False)]
    names = [next(iter(row)) for row in Encoder(CHATML, tokenizer).judged(rows)]
    assert names == ["desirable", "undesirable"]


def test_a_text_is_all_counted_and_ends_in_the_eos(tokenizer):
    (found,) = Encoder(None, tokenizer).texts([Text("Once upon a time.")])
    ids = tokenizer("Once upon a time.", add_special_tokens=False)["input_ids"]
    assert list(found[""]) == [[*ids, tokenizer.eos_token_id], [True] * (len(ids) + 1)]


def test_a_row_of_another_kind_than_the_stage_learns_from_is_bad(tokenizer):
    encoder = Encoder(CHATML, tokenizer)
    rows = [Text("a"), CHAT, Preference([], CHAT.response * 2), Tokens([1, 2], [-100, 2])]
    found = encoder.conversations(rows)
    assert [isinstance(row, BadValue) for row in found] == [True, False, True, False]
    assert (
        "it is plain text without an answer, and this stage learns from answers" in found[0].problem
    )
    assert list(found[3][""]) == [[1, 2], [False, True]]
    assert isinstance(encoder.texts(rows)[1], BadValue)
    assert isinstance(encoder.preferences(rows)[1], BadValue)
    assert isinstance(encoder.judged(rows)[1], BadValue)


def test_conversations_without_a_template_are_refused_and_texts_are_not(tokenizer):
    encoder = Encoder(None, tokenizer)
    with pytest.raises(BadModel, match=r"this run has none\. Write `template: NAME`"):
        encoder.conversations([CHAT])
    assert encoder.texts([Text("a")])


def test_a_template_that_lacks_a_token_is_no_fault_of_a_row(tokenizer):
    with pytest.raises(TemplateError, match="the tokenizer has no token"):
        Encoder(load_template("llama3"), tokenizer).conversations([CHAT])
