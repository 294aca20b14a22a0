"""A stranger's package needs no edit of Luthier and no import by its user: installing it is all."""

import dataclasses
import functools
import hashlib
import json
import operator
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from luthier.core import BadModel, Plugin, check, train
from luthier.core.data import BadRow, Rows
from luthier.core.model.attention import composed_attention
from luthier.core.model.families import Family
from luthier.core.model.layers import LayerMap
from luthier.core.problems import BadRunFile
from luthier.core.selection import entries_of_file
from luthier.core.templates import ChatTemplate
from luthier.core.wiring import Selected, manager_of
from luthier.registry import Entry

DISTRIBUTION = "luthier-example-plugins"
EXAMPLES = {
    "commands": "hello",
    "families": "tiny-cousin",
    "formats": "question-answer",
    "patches": "attention-temperature",
    "stages": "weighted-sft",
    "templates": "plain",
    "tuners": "norm-tuning",
}
OPTIONS = {
    "families/tiny-cousin": set(Family.model_fields),
    "formats/question-answer": {"question", "answer"},
    "patches/attention-temperature": {"temperature"},
    "stages/weighted-sft": {"smoothing"},
    "templates/plain": set(ChatTemplate.model_fields),
    "tuners/norm-tuning": {"biases"},
}

RUN_FILE = """\
model: cousin
tuner: {name: norm-tuning, biases: true}
patches:
  - {name: attention-temperature, temperature: 2}
data:
  - {path: rows.jsonl, format: {name: question-answer, question: ask}}
template: plain
stage: {name: weighted-sft, smoothing: 0.2}
training: {max_steps: 4, batch_size: 2, gradient_accumulation: 2, learning_rate: 0.01, log_every: 1}
generation: {max_new_tokens: 8, temperature: 0}
output: run
"""
ROWS = [{"ask": f"What is {n} plus {n}?", "answer": f"It is {2 * n}."} for n in range(1, 13)]


# --- as a user of the package meets it --------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Environment:
    """A virtual environment, and a folder of its user's, far from any source code."""

    python: Path
    desk: Path

    def run(self, *words):
        """Run python with `words`, as a user does."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        return subprocess.run(
            [self.python, *words], cwd=self.desk, env={**clean, "COLUMNS": "200"},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    def luthier(self, *words):
        """Return what `luthier WORDS` prints; it must succeed."""
        ended = self.run("-m", "luthier.core", *words)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory, repository):
    """An environment that the examples' wheel is installed to, over the one the tests run in."""
    built, home, desk = (tmp_path_factory.mktemp(name) for name in ("dist", "venv", "desk"))
    source = shutil.copytree(repository / "examples/plugins", built / "source")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", built, source]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    places = {"base": str(home), "platbase": str(home)}
    binaries = Path(sysconfig.get_path("scripts", "venv", vars=places))
    packages = Path(sysconfig.get_path("purelib", "venv", vars=places))
    install = [sys.executable, "-m", "pip", "--python", home, "install", "--quiet", "--no-deps"]
    subprocess.run([*install, "--no-index", wheel], check=True, capture_output=True)
    # addsitedir, and not the plain path: an editable luthier is found through a .pth file there
    beneath = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    lines = [f"import site; site.addsitedir({folder!r})\n" for folder in beneath]
    (packages / "beneath.pth").write_text("".join(lines))
    return Environment(binaries / "python", desk)


@pytest.fixture(scope="module")
def desk(environment):
    """A user's folder: a model whose config names the stranger's family, data, and a run file."""
    from luthier.plugins.families.tiny.making import tiny_model

    desk = environment.desk
    model = shutil.copytree(tiny_model(), desk / "cousin")
    config = json.loads((model / "config.json").read_text())
    config["architectures"] = ["TinyCousinForCausalLM"]
    (model / "config.json").write_text(json.dumps(config))
    (desk / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (desk / "run.yaml").write_text(RUN_FILE)
    (desk / "misspelt.yaml").write_text(RUN_FILE.replace("biases", "biase"))
    return desk


@pytest.fixture(scope="module")
def run_folder(environment, desk):
    """The folder of a finished run that used all of the examples."""
    environment.luthier("train", "run.yaml")
    return desk / "run"


@pytest.fixture(scope="module")
def listed(environment):
    """The rows of `luthier plugins --json`, which imports every plugin that is installed."""
    light = (
        "import sys; from luthier.core.cli.application import application;"
        "application()(['plugins', '--json'], standalone_mode=False);"
        "assert 'torch' not in sys.modules"
    )
    ended = environment.run("-c", light)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_each_is_listed_with_its_distribution_its_version_and_its_state(listed):
    strangers = [row for row in listed if row["distribution"] == DISTRIBUTION]
    assert {row["kind"]: row["name"] for row in strangers} == EXAMPLES
    assert {(row["version"], row["state"]) for row in strangers} == {("0.1.0", "ok")}
    assert all(row["summary"].endswith(".") for row in strangers)


def _at(schema, option):
    """Return an option's schema, looked up where it stands once for many plugins."""
    steps = option.get("$ref", "#").split("/")[1:]
    return functools.reduce(operator.getitem, steps, schema) if steps else option


def test_each_is_in_the_schema_of_run_files_with_its_options(environment):
    schema = json.loads(environment.luthier("schema"))
    choices = dict(_choices(schema))
    for title, options in OPTIONS.items():
        own = dict(choices[title]["properties"])
        assert own.pop("name") == {"const": title.partition("/")[2]}
        assert own.keys() == options
        assert all(_at(schema, option)["description"] for option in own.values())
    assert choices["stages/weighted-sft"]["properties"]["smoothing"]["exclusiveMaximum"] == 1


def _choices(schema):
    """Yield the schema of each plugin's options, by its title."""
    if isinstance(schema, dict):
        if "/" in str(schema.get("title", "")):
            yield schema["title"], schema
        for value in schema.values():
            yield from _choices(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _choices(value)


def test_the_help_of_train_names_what_a_run_file_can_now_name(environment):
    said = environment.luthier("train", "--help")
    assert all(name in said for kind, name in EXAMPLES.items() if kind != "commands")


def test_the_command_is_in_the_help_and_runs(environment, listed):
    assert "Greet, and say how many plugins are installed." in environment.luthier("--help")
    said = environment.luthier("hello", "--name", "stranger")
    assert said == f"Hello, stranger! {len(listed)} plugins are installed.\n"


def test_a_misspelt_option_is_answered_with_the_nearest(environment, desk):
    ended = environment.run("-m", "luthier.core", "check", "misspelt.yaml")
    assert ended.returncode == 2
    assert "misspelt.yaml:2:28: tuner.biase: unknown key" in ended.stderr
    assert "Did you mean 'biases'?" in ended.stderr


def test_a_run_file_that_uses_all_of_them_can_be_run(environment, desk):
    assert "run.yaml can be run on" in environment.luthier("check", "run.yaml", "template=auto")


def test_a_run_trains_what_the_strangers_tuner_says_and_its_manifest_names_the_stranger(
    desk, run_folder
):
    from safetensors.torch import load_file

    before = load_file(desk / "cousin/model.safetensors")
    after = load_file(run_folder / "model/model.safetensors")
    assert before.keys() == after.keys()
    assert {name for name in before if not before[name].equal(after[name])} == {
        name for name in before if "norm" in name
    }
    manifest = json.loads((run_folder / "manifest.json").read_text())
    used = {p["kind"]: p["name"] for p in manifest["plugins"] if p["distribution"] == DISTRIBUTION}
    assert used == {kind: name for kind, name in EXAMPLES.items() if kind != "commands"}
    assert manifest["steps"] == 4


def test_the_trained_model_is_loaded_by_stock_transformers_and_has_the_strangers_template(
    run_folder, examples
):
    from luthier_examples.plain import PLAIN
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(run_folder / "model")
    assert model.generation_config.eos_token_id[0] == 0  # <|endoftext|>, the first of the tokens
    tokenizer = AutoTokenizer.from_pretrained(run_folder / "model")
    talk = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 3 plus 3?"},
        {"role": "assistant", "content": "It is 6."},
    ]
    text = "Be brief.\nWhat is 3 plus 3?\nIt is 6.<|endoftext|>"
    assert PLAIN.render(talk).text == text
    assert tokenizer.apply_chat_template(talk, tokenize=False) == text


def test_the_trained_model_answers_in_a_chat(environment, run_folder):
    assert environment.luthier("chat", "run", "--message", "hi").strip()


# --- one by one, in this process --------------------------------------------------------------


@pytest.fixture
def examples(repository, monkeypatch):
    """Make `luthier_examples` importable from its source, for one test."""
    monkeypatch.syspath_prepend(repository / "examples/plugins")
    yield
    for name in [n for n in sys.modules if n.partition(".")[0] == "luthier_examples"]:
        del sys.modules[name]


def selected(plugin):
    return Selected("kind", "name", plugin, Entry("kind", "name", "module:name", "tests", "0"))


@pytest.fixture
def logits_at(examples):
    """A function: the logits of a small Llama under a temperature of attention, or under none.

    `divisor` divides the weights of all queries, which does the same by other means.
    """
    import torch
    from luthier_examples.attention_temperature import AttentionTemperature
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 50}  # fmt: skip

    def logits(temperature, divisor=1.0):
        patches = [] if temperature is None else [AttentionTemperature(temperature=temperature)]
        attention = composed_attention("sdpa", manager_of(map(selected, patches)))
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(**shape, initializer_range=0.5))
        model.set_attn_implementation(attention)
        with torch.inference_mode():
            for layer in model.model.layers:
                layer.self_attn.q_proj.weight /= divisor
            return model.eval()(torch.arange(10)[None])["logits"]

    return logits


def test_the_temperature_acts_and_a_temperature_of_one_does_not(logits_at):
    plain = logits_at(None)
    assert (logits_at(1.0) - plain).abs().max() < 1e-6
    warm = logits_at(2.0)
    assert (warm - plain).abs().max() > 0.1
    assert (warm - logits_at(None, divisor=2.0)).abs().max() < 1e-5


def test_norm_tuning_trains_norms_alone_and_biases_if_asked(examples):
    from luthier_examples.norm_tuning import NormTuning
    from torch import nn

    model = nn.ModuleDict({"mlp": nn.Linear(2, 2), "norm": nn.RMSNorm(2)})
    layers = LayerMap({"norm": "norm"})

    def trained(biases):
        attached = NormTuning(biases=biases).attach_adapter(model=model, layers=layers)
        return {name for name, p in attached.named_parameters() if p.requires_grad}

    assert trained(biases=False) == {"norm.weight"}
    assert trained(biases=True) == {"mlp.bias", "norm.weight"}


def test_norm_tuning_on_a_model_whose_norms_have_no_weights_says_what_to_do(examples):
    from luthier_examples.norm_tuning import NormTuning
    from torch import nn

    model = nn.ModuleDict({"mlp": nn.Linear(2, 2), "norm": nn.LayerNorm(2, bias=False)})
    model["norm"].weight = None
    with pytest.raises(BadModel, match=r"no norms with weights.*such as `lora`"):
        NormTuning().attach_adapter(model=model, layers=LayerMap({"norm": "norm"}))


def test_a_row_without_an_answer_is_named(examples):
    from luthier_examples.question_answer import QuestionAnswer

    rows = Rows.of([{"question": "Why?", "answer": "So."}, {"question": "Who?"}])
    found = QuestionAnswer().align_dataset(dataset=rows, spec="qa.jsonl")
    with pytest.raises(BadRow, match=r"qa.jsonl, row 2: there is no text in 'answer'"):
        list(found)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_smoothed_loss_is_the_mean_over_all_tokens_of_a_step(examples, smoothing):
    import torch
    from luthier_examples.smoothed_loss import smoothed_loss

    torch.manual_seed(0)
    logits_BTV = torch.randn(2, 4, 5)
    labels_BT = torch.tensor([[-100, 1, 2, -100], [-100, -100, -100, 4]])
    log_p = logits_BTV.log_softmax(-1)
    places = [(0, 0, 1), (0, 1, 2), (1, 2, 4)]
    expected = sum(
        -(1 - smoothing) * log_p[b, t, v] - smoothing * log_p[b, t].mean() for b, t, v in places
    ) / len(places)
    whole = smoothed_loss({"logits": logits_BTV}, labels_BT, smoothing=smoothing)
    parts = [
        smoothed_loss({"logits": logits_BTV[[b]]}, labels_BT[[b]], 3, smoothing=smoothing)
        for b in range(2)
    ]
    assert whole.item() == pytest.approx(expected.item())
    assert sum(parts).item() == pytest.approx(expected.item())


# --- a file that is no package ----------------------------------------------------------------


@pytest.fixture
def lone_file(tmp_path, repository):
    """An example's source as a lone file, with the table of entry points in it."""
    source = (repository / "examples/plugins/luthier_examples/norm_tuning.py").read_text()
    table = 'ENTRY_POINTS = {"luthier.tuners": {"norm-tuning": NormTuning}}\n'
    file = tmp_path / "norm_tuning.py"
    file.write_text(source + "\n\n" + table)
    return file


def test_a_lone_file_that_a_run_file_names_is_checked_and_used(small_run, lone_file):
    good = small_run(plugins=[str(lone_file)], tuner={"name": "norm-tuning", "biases": True})
    (tuner,) = check(good).of("tuners")
    assert (tuner.entry.distribution, tuner.plugin.biases) == ("norm_tuning.py", True)
    plugins = json.loads(train(good).manifest.read_text())["plugins"]
    assert {
        "kind": "tuners", "name": "norm-tuning",
        "distribution": "norm_tuning.py", "version": "file",
        "sha256": hashlib.sha256(lone_file.read_bytes()).hexdigest(),
    } in plugins  # fmt: skip
    with pytest.raises(BadRunFile, match=r"tuner.biase: unknown key\n +Did you mean 'biases'\?"):
        check(small_run(plugins=[str(lone_file)], tuner={"name": "norm-tuning", "biase": True}))


def test_a_lone_file_is_found_from_the_folder_of_the_run_file(tmp_path, small_run, lone_file):
    file = tmp_path / "run.json"
    file.write_text(json.dumps(small_run(plugins=["norm_tuning.py"], tuner="norm-tuning")))
    assert [tuner.name for tuner in check(file).of("tuners")] == ["norm-tuning"]


# --- what the page for contributors shows -----------------------------------------------------


def test_each_example_of_the_contributing_page_is_a_sound_plugin(repository, tmp_path):
    page = (repository / "CONTRIBUTING.md").read_text()
    whole, _, head, *examples = re.findall(r"^ *```python\n(.*?)^ *```$", page, re.M | re.S)
    names = [_name_in(text) for text in (whole, *examples)]
    assert len(names) == len(set(names)) == 14
    assert whole == (repository / "examples/plugins/luthier_examples/norm_tuning.py").read_text()
    for number, (text, name) in enumerate(zip((whole, *examples), names, strict=True)):
        file = tmp_path / f"example_{number}.py"
        before = "" if text is whole else head
        file.write_text(f'{before}\n{text}\nENTRY_POINTS = {{"luthier.kind": {{"it": {name}}}}}\n')
        (entry,) = entries_of_file(file)
        value = entry.load()
        if isinstance(value, type):
            assert issubclass(value, Plugin), name
            assert manager_of([selected(value())]).get_plugins(), name


def _name_in(text):
    """Return the name of the first class or value that an example defines."""
    return re.search(r"^(?:class )?(\w+)(?:\(Plugin\):| = )", text, re.M)[1]
