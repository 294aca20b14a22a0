"""The model of a run file: its family, its short name, its hub, and what is told of them."""

import importlib.util
import json
import shutil
import sys
import types

import pytest

from luthier.core import LuthierError, check, train
from luthier.core.model import hubs
from luthier.core.problems import BadRunFile, Place
from luthier.core.runfile import read_tree, resolve
from luthier.core.runfile.nodes import node_of
from luthier.plugins.families.tiny.making import tiny_model


@pytest.mark.parametrize(
    ("offline", "said"),
    [(True, "and HF_HUB_OFFLINE is set"), (False, "and the Hub gives no model of that name")],
)
def test_a_model_of_the_hub_that_cannot_be_reached_is_named(small_run, monkeypatch, offline, said):
    monkeypatch.setattr(hubs, "is_offline", lambda: offline)
    run = small_run(model={"path": "nobody/nothing"}, template="chatml")
    assert check(run).family is None
    with pytest.raises(LuthierError, match=f"no folder nobody/nothing here, {said}"):
        train(run)


def problems_of(run):
    with pytest.raises(BadRunFile) as fault:
        check(run)
    return fault.value.problems


# --- families ------------------------------------------------------------------------------------


def test_a_listed_id_tells_the_family_before_anything_is_fetched(small_run):
    run = check(small_run(model={"path": "lmsys/vicuna-7b-v1.5"}))
    assert run.family.name == "vicuna"
    assert run.tree.at(("model", "family")).place == Place("recognised by its id")
    assert run.of("templates") == []  # the model may bring one: nobody has looked yet


def test_a_folder_that_is_named_like_an_id_is_not_told_by_its_name(
    small_run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model(), tmp_path / "lmsys" / "vicuna-mine")
    run = check(small_run(model={"path": "lmsys/vicuna-mine"}))
    assert run.family.name == "llama"
    assert "alone" in str(run.tree.at(("model", "family")).place)


def test_the_folder_of_an_adapter_is_told_as_one(small_run, tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    (problem,) = problems_of(small_run(model={"path": str(tmp_path)}))
    assert problem.problem == f"{tmp_path} holds an adapter, which is no model by itself"
    assert f"adapters: [{tmp_path}]" in problem.remedy


def test_a_model_without_a_tokenizer_is_told_in_a_whole_sentence(small_run, tmp_path):
    for name in ("config.json", "model.safetensors"):
        shutil.copy(tiny_model() / name, tmp_path)
    with pytest.raises(LuthierError, match=r"there is no tokenizer\.json, and no vocabulary"):
        train(small_run(model={"path": str(tmp_path)}))


def test_once_a_config_is_fetched_the_template_is_the_checkpoint_s_own(small_run, tmp_path):
    folder = tmp_path / "fetched"
    folder.mkdir()
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    (folder / "config.json").write_text(json.dumps(config))
    model = {"path": "meta-llama/Llama-2-7b-chat-hf"}
    run = resolve(node_of(small_run(model=model), Place("run")), fetched=folder)
    (template,) = run.of("templates")
    assert (run.family.name, template.name) == ("llama2", "llama2")
    assert str(run.tree.at(("template", "name")).place) == "family llama2: the model brings none"


def test_what_could_not_be_told_is_noted_and_kept_with_the_run(small_run, tmp_path):
    folder = shutil.copytree(tiny_model(), tmp_path / "model")
    run = check(small_run(model={"path": str(folder)}))
    assert (run.family.name, run.of("templates")[0].name) == ("llama", "default")
    assert run.notes[0].startswith("LlamaForCausalLM is the architecture of codellama,")
    place = run.tree.at(("model", "family")).place
    assert str(place) == "recognised by its architecture, LlamaForCausalLM, alone"


def test_a_family_that_is_named_is_taken_without_a_note(small_run, tmp_path):
    folder = shutil.copytree(tiny_model(), tmp_path / "model")
    run = check(small_run(model={"path": str(folder), "family": "vicuna"}))
    assert (run.family.name, run.of("templates")[0].name, run.notes) == ("vicuna", "vicuna", ())


def test_a_model_that_no_family_knows_trains_all_the_same_and_it_is_said(
    small_run, tmp_path, capsys
):
    import torch
    from transformers import AutoTokenizer, BioGptConfig, BioGptForCausalLM

    from luthier.core.cli.options import console_reporter

    folder = tmp_path / "biogpt"
    tokenizer = AutoTokenizer.from_pretrained(tiny_model())
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    BioGptForCausalLM(
        BioGptConfig(
            vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=512, pad_token_id=3,
        )
    ).save_pretrained(folder)  # fmt: skip
    run = small_run(model={"path": str(folder)}, training={"max_steps": 1})
    done = train(run, reporter=console_reporter())
    assert "no installed family knows BioGptForCausalLM: 'auto' reads" in capsys.readouterr().out
    kept = done.run_file.read_text()
    assert "recognised by no family of its own" in kept
    assert read_tree(done.run_file).at(("model", "family")).plain() == "auto"


# --- short names and hubs ------------------------------------------------------------------------


@pytest.fixture
def modelscope(monkeypatch, tmp_path):
    """A stand-in for the package modelscope; returns what it was asked for."""
    asked = []

    def snapshot_download(model_id, *, revision, allow_patterns):
        asked.append((model_id, revision, allow_patterns))
        if model_id == "no/such":
            raise ValueError("The request model: no/such does not exist!")
        return shutil.copytree(tiny_model(), tmp_path / "scope", dirs_exist_ok=True)

    module = types.ModuleType("modelscope")
    module.snapshot_download = snapshot_download
    module.__spec__ = importlib.util.spec_from_loader("modelscope", loader=None)
    monkeypatch.setitem(sys.modules, "modelscope", module)
    return asked


def test_a_short_name_is_the_id_of_the_hub_in_use(small_run, modelscope):
    run = check(small_run(model={"path": "llama-2-7b-chat"}))
    assert (run.model.path, run.family.name) == ("meta-llama/Llama-2-7b-chat-hf", "llama2")
    assert run.notes == ("llama-2-7b-chat is meta-llama/Llama-2-7b-chat-hf of the Hub",)
    run = check(small_run(model={"path": "Llama-2-7B-chat", "hub": "modelscope"}))
    assert (run.model.path, run.family.name) == ("modelscope/Llama-2-7b-chat-ms", "llama2")
    assert run.on_hub


def test_a_folder_of_a_short_name_comes_first(small_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model(), tmp_path / "qwen2-7b")
    run = check(small_run(model={"path": "qwen2-7b"}, template="chatml"))
    assert run.tree.at(("model", "path")).value == str(tmp_path / "qwen2-7b")
    assert not run.on_hub


def test_a_misspelt_short_name_is_answered_with_the_nearest_one(small_run):
    (problem,) = problems_of(small_run(model={"path": "qwen2.5-7b-instrct"}))
    assert problem.key == "model.path"
    assert "nor a short name" in problem.problem
    assert problem.remedy.startswith("Did you mean 'qwen2.5-7b-instruct'? `luthier models` lists")


def test_a_checkpoint_that_a_hub_is_not_known_to_have_is_told(small_run, modelscope):
    (problem,) = problems_of(small_run(model={"path": "qwq-32b", "hub": "modelscope"}))
    assert "by what id ModelScope has 'qwq-32b'" in problem.problem
    assert "Qwen/QwQ-32B" in problem.remedy


def test_a_short_name_is_looked_for_in_the_family_that_is_named(small_run):
    run = check(small_run(model={"path": "qwen2-7b", "family": "qwen2"}, template="chatml"))
    assert run.model.path == "Qwen/Qwen2-7B"
    (problem,) = problems_of(
        small_run(model={"path": "qwen2-7b", "family": "llama"}, template="chatml")
    )
    assert "no model at 'qwen2-7b'" in problem.problem


def test_a_hub_whose_package_is_missing_says_how_to_install_it(small_run, monkeypatch):
    absent = hubs.HUBS["modelscope"]._replace(package="luthier_no_such_package")
    monkeypatch.setitem(hubs.HUBS, "modelscope", absent)
    run = small_run(model={"path": "qwen2-7b", "hub": "modelscope"}, template="chatml")
    (problem,) = problems_of(run)
    assert problem.key == "model.hub"
    assert problem.remedy == 'Install it: pip install "luthier[modelscope]".'


def test_a_model_of_another_hub_is_fetched_whole_and_without_pickles(small_run, modelscope):
    model = {"path": "someone/tuned", "hub": "modelscope", "revision": "v1", "family": "llama"}
    done = train(small_run(model=model, template="chatml", training={"max_steps": 1}))
    assert {one[:2] for one in modelscope} == {("someone/tuned", "v1")}
    told, *whole = [patterns for *_, patterns in modelscope]
    assert told == list(hubs.TOLD)
    assert whole
    assert not any(one.endswith((".bin", ".pt", "*")) for patterns in whole for one in patterns)
    assert read_tree(done.run_file).at(("model", "hub")).value == "modelscope"
    model["path"] = "no/such"
    with pytest.raises(LuthierError, match="ModelScope gives no model of that name: The request"):
        train(small_run(model=model, template="chatml", output=str(done.path) + "-2"))
