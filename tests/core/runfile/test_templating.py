"""Which chat template a run gets: the model's own, told by name where it has one, or the user's."""

import json
import shutil

import pytest

from luthier.core import check, load, train
from luthier.core.problems import BadRunFile
from luthier.core.runfile import read_tree, resolve
from luthier.plugins.families.tiny.making import tiny_model
from luthier.templates.llama3_1 import TEMPLATE as LLAMA3_1
from luthier.templates.qwen3 import TEMPLATE as QWEN3

SHOUTED = "{% for m in messages %}{{ '<|im_start|>' + m['content'] | upper }}{% endfor %}"
TURNS = (
    "{% for m in messages %}"
    "{{ '<|im_start|>' + m['role'] + ': ' + m['content'] + '<|im_end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant: ' }}{% endif %}"
)


@pytest.fixture
def bringing(tmp_path):
    """A function: the run file of a model that brings a chat template of its own."""

    def model(source, **changes):
        folder = shutil.copytree(tiny_model(), tmp_path / "model", dirs_exist_ok=True)
        (folder / "chat_template.jinja").write_text(source)
        row = {"instruction": "a", "input": "", "output": "b"}
        (tmp_path / "rows.jsonl").write_text(json.dumps(row))
        contents = {
            "model": str(folder), "data": [str(tmp_path / "rows.jsonl")], "tuner": "full",
            "training": {"max_steps": 1}, "output": str(tmp_path / "run"), **changes,
        }  # fmt: skip
        (tmp_path / "run.json").write_text(json.dumps(contents))
        return tmp_path / "run.json"

    return model


def chosen(run):
    """Return the name of a run's template, its plugin, and why it is the one."""
    (one,) = run.of("templates")
    node = run.tree.at(("template",))
    return one.name, one.plugin, node.at(("name" if "name" in node.mapping else "source",)).place


def test_a_model_s_own_template_is_known_by_what_it_renders(bringing):
    name, plugin, place = chosen(check(bringing(LLAMA3_1.jinja())))
    assert (name, plugin) == ("llama3.1", LLAMA3_1)
    assert str(place) == "renders as the model's own does"


def test_one_that_is_none_of_ours_is_used_itself(bringing):
    name, plugin, place = chosen(check(bringing(TURNS)))
    assert (name, str(place)) == ("own", "the model's own")
    assert plugin.jinja() == TURNS


def test_one_that_alters_contents_gives_way_to_the_family_s(bringing):
    name, _, place = chosen(check(bringing(SHOUTED)))
    assert name == "default"
    assert str(place) == "family llama: the model's own alters contents (a question)"


def test_one_that_is_no_jinja_gives_way_too(bringing):
    _, _, place = chosen(check(bringing("{% if %}")))
    assert str(place) == "family llama: the model's own is no Jinja"


def test_options_are_set_beside_auto_and_a_name_alike(bringing):
    source = TURNS + "{% if loud %}!{% endif %}"
    run = check(bringing(source, template={"name": "auto", "options": {"loud": True}}))
    assert chosen(run)[1].options == {"loud": True}
    run = check(bringing(source, template={"options": {"loud": True}}))
    assert chosen(run)[1].options == {"loud": True}
    run = check(bringing(source, template={"name": "qwen3", "options": {"enable_thinking": False}}))
    plugin = chosen(run)[1]
    assert plugin.options == {"enable_thinking": False}
    assert plugin.jinja().startswith("{%- if enable_thinking is not defined or ")
    assert "<think>\n\n</think>" in plugin.render([], generation_prompt=True).text
    assert QWEN3.options == {"enable_thinking": None}
    run = check(bringing(source, template={"name": "gemma", "options": {"system": "prepend"}}))
    chat = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi."}]
    assert "user\nBe kind.\n\nHi.<end_of_turn>" in chosen(run)[1].render(chat).text


@pytest.mark.parametrize(
    ("template", "key", "said"),
    [
        ({"name": "qwen3", "options": {"thinks": 1}}, "template.options.thinks", "no such option"),
        ({"options": {"thinks": 1}}, "template.options.thinks", "no such option"),
        ({"name": "gemma", "options": {"system": "x"}}, "template.options.system", "'prepend'"),
        ({"usr": "x"}, "template.usr", "unknown key"),
        ({"user": "{% if %}"}, "template.user", "this is no Jinja"),
        ({"source": "{{ x"}, "template", "line 1 of the template"),
        ("nowhere.jinja", "template.source", "nowhere.jinja cannot be read"),
        ({"source": 5}, "template.source", "text"),
        ([], "template", "found a list"),
    ],
)
def test_what_is_wrong_with_a_template_is_told_at_its_place(bringing, template, key, said):
    with pytest.raises(BadRunFile) as fault:
        check(bringing(TURNS, template=template))
    (problem,) = fault.value.problems
    assert problem.key == key
    assert said in problem.problem
    assert problem.remedy


def test_a_jinja_beside_the_run_file_is_trained_on_and_saved_with_the_model(bringing, tmp_path):
    (tmp_path / "mine.jinja").write_text(TURNS)
    run = train(bringing(SHOUTED, template="mine.jinja"))
    assert (run.model / "chat_template.jinja").read_text() == TURNS
    (tmp_path / "mine.jinja").unlink()  # the run folder needs it no more
    engine = load(run.path)
    assert engine.template.jinja() == TURNS
    generation = json.loads((run.model / "generation_config.json").read_text())
    assert generation["eos_token_id"] == engine.template.stop_ids(engine.tokenizer)


def test_a_template_of_slots_in_the_run_file_is_trained_on(bringing):
    slots = {
        "user": "<|im_start|>{{ content }}\n",
        "answer_prefix": "A:",
        "answer_end": "<|im_end|>",
    }
    run = train(bringing(TURNS, template=slots))
    engine = load(run.path)
    tokenizer, start = engine.tokenizer, "<|im_start|>"
    ids = engine.prompt_ids([{"role": "user", "content": "a"}])
    assert tokenizer.decode(ids) == "<|im_start|>a\nA:"
    assert ids[0] == tokenizer.convert_tokens_to_ids(start)
    manifest = json.loads(run.manifest.read_text())
    assert manifest["data"]["trained_tokens"] == 2  # b, and the token that ends it
    assert resolve(read_tree(run.run_file)).of("templates")[0].name == "own"


def test_rows_without_thoughts_are_counted_where_the_template_is_one_of_thoughts(bringing, caplog):
    slots = {
        "user": "<|im_start|>{{ content }}", "answer_end": "<|im_end|>", "thinking": {},
        "options": {"thinking": None},
    }  # fmt: skip
    train(bringing(TURNS, template=slots))
    assert "1 of 1 rows have no thoughts" in caplog.text
    caplog.clear()
    slots["options"] = {"thinking": False}
    train(bringing(TURNS, template=slots), overwrite=True)
    assert "have no thoughts" not in caplog.text
