"""`luthier template`, as a user meets it."""

import json
import re

import pytest
from transformers import AutoTokenizer

from luthier.core.cli.application import main
from luthier.plugins.families.tiny.making import tiny_model
from luthier.templates.chatml import TEMPLATE as CHATML

CHAT = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Yo."}]
TEXT = "<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\nYo.<|im_end|>\n"


@pytest.fixture
def luthier(monkeypatch, capsys):
    """Run the command line; give its exit code and what it printed."""

    def run(*words):
        monkeypatch.setattr("sys.argv", ["luthier", "template", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, capsys.readouterr()

    return run


@pytest.fixture
def chat_file(tmp_path):
    """A file of a question and an answer."""
    file = tmp_path / "chat.json"
    file.write_text(json.dumps(CHAT))
    return file


def test_templates_are_listed_and_shown(luthier):
    code, printed = luthier("list", "--json")
    assert code == 0
    assert "chatml" in [row["name"] for row in json.loads(printed.out)]
    code, printed = luthier("show", "chatml")
    assert code == 0
    assert "stops: ('<|im_end|>',)" in printed.out
    assert "{%- generation -%}" in printed.out


def test_a_conversation_is_rendered_with_its_ids(luthier, chat_file):
    code, printed = luthier("render", "chatml", chat_file, "--tokenizer", tiny_model())
    assert code == 0
    assert printed.out.startswith(TEXT)
    ids = AutoTokenizer.from_pretrained(tiny_model())(TEXT)["input_ids"]
    assert printed.out.endswith(" ".join(map(str, ids)) + "\n")


def test_cases_are_counted_and_the_first_differences_shown(luthier, tmp_path):
    right = {"id": "right", "template": "chatml", "messages": CHAT, "expected_text": TEXT}
    other = {**right, "id": "other", "expected_text": "no", "also_accepted": [TEXT]}
    wrong = {**right, "id": "wrong", "expected_text": TEXT.replace("Yo", "Ya")}
    absent = {**right, "id": "absent", "template": "no-such"}
    file = tmp_path / "cases.jsonl"
    file.write_text("\n".join(map(json.dumps, (right, other))) + "\n")
    assert luthier("check", "--cases", file)[0] == 0
    file.write_text("\n".join(map(json.dumps, (right, other, wrong, absent))) + "\n")
    code, printed = luthier("check", "--cases", file)
    assert code == 1
    assert printed.out.startswith("2 passed, 1 failed, 1 refused\n")
    assert "wrong: differs at character 54" in printed.out
    assert "absent: refused: there is no 'no-such' among the templates" in printed.out
    code, printed = luthier("check", "--cases", file, "--json")
    assert code == 1
    assert json.loads(printed.out)["failed"][0]["case"] == "wrong"


def test_a_template_is_held_against_a_tokenizer_of_its_own(luthier, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model())
    tokenizer.chat_template = CHATML.jinja()
    tokenizer.save_pretrained(tmp_path / "model")
    code, printed = luthier("check", "chatml", "--tokenizer", tmp_path / "model")
    assert code == 0
    assert re.fullmatch(r"\d\d passed, 0 failed, 0 refused\n", printed.out)
    code, printed = luthier("check", "qwen2", "--tokenizer", tmp_path / "model")
    assert code == 1
    assert "system\\nYou are a helpful assistant." in printed.out
    assert "expected ids  1:'<|im_start|>'" in printed.out


def test_a_template_of_the_user_s_own_is_held_against_a_tokenizer(luthier, tmp_path):
    file = tmp_path / "mine.jinja"
    file.write_text(re.sub(r"{%- (end)?generation -%}", "", CHATML.jinja()))
    assert luthier("check", file, "--tokenizer", tiny_model())[0] == 0
    file.write_text(file.read_text().replace("{{- '<|im_end|>' -}}", "{{- 'END' -}}"))
    code, printed = luthier("check", file, "--tokenizer", tiny_model())
    assert code == 1
    assert "is another in what goes on" in printed.out
    run = tmp_path / "run.json"
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"instruction": "a", "output": "b"}')
    template = {"user": "<|im_start|>{{ content }}", "answer_end": "<|im_end|>"}
    run.write_text(json.dumps({"data": [str(rows)], "template": template}))
    assert luthier("check", run, "--tokenizer", tiny_model())[0] == 0
    code, printed = luthier("show", run)
    assert code == 0
    assert "user: '<|im_start|>{{ content }}'" in printed.out


def test_a_tokenizer_without_the_template_s_tokens_is_refused_with_the_reason(luthier):
    code, printed = luthier("check", "deepseek-r1", "--tokenizer", tiny_model())
    assert code == 1
    assert re.match(r"0 passed, 0 failed, \d refused\n", printed.out)
    assert "an answer: refused: the tokenizer has no token " in printed.out


def test_a_template_that_renders_nothing_of_the_corpus_is_no_success(luthier, tmp_path):
    file = tmp_path / "never.jinja"
    file.write_text("{{ raise_exception('never') }}")
    code, printed = luthier("check", file, "--tokenizer", tiny_model())
    assert code == 1
    assert "the built-in corpus: refused: the template renders no answer of it" in printed.out


CASE = {"template": "chatml", "messages": CHAT, "expected_text": TEXT}


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("", "cases.jsonl holds no case. Write "),
        ("5", "cases.jsonl:1: this is no case but 5. Write "),
        ("[5]", "cases.jsonl:1: this is no case but [5]. Write "),
        ({"template": "chatml"}, "cases.jsonl:1: the case has no expected_text, messages. Write "),
        ({**CASE, "template": 5}, "cases.jsonl:1: `template` is 5; write a text."),
        ({**CASE, "messages": 5}, "cases.jsonl:1: `messages` is 5; write a list."),
        ({**CASE, "expected_text": None}, "cases.jsonl:1: `expected_text` is None; write a text."),
        ({**CASE, "template_kwargs": 5}, "cases.jsonl:1: `template_kwargs` is 5; write an object."),
        ({**CASE, "template_kwargs": {"tools": 1}}, "`template_kwargs` holds tools, no option"),
        ({**CASE, "extra_context": {"self": 1}}, "`extra_context` holds self, no option"),
        ({**CASE, "now": "soon"}, "cases.jsonl:1: `now` is 'soon', no moment; write it as 2026-"),
    ],
)
def test_a_line_that_is_no_case_is_told_with_its_place(luthier, tmp_path, case, said):
    file = tmp_path / "cases.jsonl"
    file.write_text(case if isinstance(case, str) else json.dumps(case))
    code, printed = luthier("check", "--cases", file)
    assert code == 2
    assert said in printed.err.replace("\n", "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"messages": ["x"]}, "refused: message 1: 'x' is no message"),
        ({"tools": [5]}, "refused: the tools are [5], no list of objects"),
        ({"template_kwargs": {"system": "append"}}, "refused: the option `system` is 'append'"),
    ],
)
def test_a_case_that_cannot_be_rendered_is_refused_with_the_reason(luthier, tmp_path, change, said):
    file = tmp_path / "cases.jsonl"
    file.write_text(json.dumps({**CASE, **change}))
    code, printed = luthier("check", "--cases", file)
    assert code == 1
    assert said in printed.out


@pytest.mark.parametrize("held", ["[1]", '["x"]', "{}"])
def test_a_file_that_holds_no_list_of_objects_is_told(luthier, tmp_path, chat_file, held):
    file = tmp_path / "odd.json"
    file.write_text(held)
    for words in ((file,), (chat_file, "--tools", file)):
        code, printed = luthier("render", "chatml", *words)
        assert code == 2
        assert "odd.json holds no list of objects; write" in printed.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("render", "chatml", "nowhere.json"), "nowhere.json cannot be read: "),
        (("render", "chatmi", "nowhere.json"), "Did you mean 'chatml'"),
        (("check", "chatml", "--tokenizer", "nowhere"), "there is no model at 'nowhere'"),
        (("check", "--cases", "nowhere"), "nowhere cannot be read"),
        (("check",), "give NAME and --tokenizer FOLDER, or --cases FILE"),
    ],
)
def test_what_cannot_be_done_is_said(luthier, words, said):
    code, printed = luthier(*words)
    assert code == 2
    assert said in printed.err
    assert "Traceback" not in printed.err
