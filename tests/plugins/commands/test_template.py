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
    assert (code, printed.out) == (0, "22 passed, 0 failed, 0 refused\n")
    code, printed = luthier("check", "qwen2", "--tokenizer", tmp_path / "model")
    assert code == 1
    assert "system\\nYou are a helpful assistant." in printed.out
    assert "tokens    1:'<|im_start|>'" in printed.out


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("render", "chatml", "nowhere.json"), "nowhere.json cannot be read: "),
        (("render", "chatmi", "nowhere.json"), "Did you mean 'chatml'"),
        (("check", "chatml", "--tokenizer", "nowhere"), "nowhere holds no tokenizer"),
        (("check", "--cases", "nowhere"), "nowhere cannot be read"),
        (("check",), "give NAME and --tokenizer FOLDER, or --cases FILE"),
    ],
)
def test_what_cannot_be_done_is_said(luthier, words, said):
    code, printed = luthier(*words)
    assert code == 2
    assert said in printed.err
    assert "Traceback" not in printed.err
