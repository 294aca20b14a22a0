"""Models that bring their code: refused, unless whoever starts the process lets it run."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from luthier.core import check, load, train
from luthier.core.errors import BadModel
from luthier.core.model import remote_code
from luthier.core.model.architectures import config_at
from luthier.core.model.recognition import families_of
from luthier.core.problems import BadRunFile
from luthier.core.runfile import read_tree
from luthier.registry import Catalogue

_SPEC = importlib.util.spec_from_file_location(
    "standing_in", Path(__file__).with_name("standing_in.py")
)
standing_in = importlib.util.module_from_spec(_SPEC)
sys.modules["standing_in"] = standing_in
_SPEC.loader.exec_module(standing_in)

ORIGINS = {
    "baichuan": "baichuan-inc/Baichuan-7B", "baichuan2": "baichuan-inc/Baichuan2-7B-Chat",
    "chatglm2": "zai-org/chatglm2-6b", "chatglm3": "zai-org/chatglm3-6b",
    "chatglm4": "zai-org/glm-4-9b-chat", "deepseek-moe": "deepseek-ai/deepseek-moe-16b-chat",
    "exaone": "LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct", "minicpm": "openbmb/MiniCPM-2B-dpo-bf16",
    "phi-3-small": "microsoft/Phi-3-small-8k-instruct",
    "internlm": "internlm/internlm-chat-7b", "internlm2": "internlm/internlm2-chat-7b",
    "orion": "OrionStarAI/Orion-14B-Chat", "qwen": "Qwen/Qwen-7B-Chat",
    "skywork": "Skywork/Skywork-13B-base", "yuan2": "IEITYuan/Yuan2-2B-hf",
}  # fmt: skip
FAMILIES = families_of(Catalogue.installed())
BY_FAMILY = {one.family: one for one in standing_in.STAND_INS}


@pytest.fixture(autouse=True)
def nobody_allowed_it(monkeypatch):
    monkeypatch.delenv(remote_code.VARIABLE, raising=False)


@pytest.fixture
def allowed(monkeypatch, nobody_allowed_it):
    monkeypatch.setenv(remote_code.VARIABLE, "1")


@pytest.fixture
def stand_in(tmp_path):
    """A function: the folder of a family's stand-in."""
    return lambda family: standing_in.made(tmp_path / family, BY_FAMILY[family], ORIGINS[family])


def test_every_family_that_says_its_loading_path_is_tested_has_a_stand_in():
    assert {name for name, family in FAMILIES.items() if family.brings_code} == set(BY_FAMILY)


@pytest.mark.parametrize(
    ("family", "tuner"),
    [("qwen", "full"), *((family, "lora") for family in sorted(BY_FAMILY))],
)
def test_a_stand_in_of_each_family_is_recognised_loaded_trained_and_talked_to(
    family, tuner, stand_in, small_run, allowed
):
    run = small_run(
        model={"path": str(stand_in(family))},
        tuner=tuner,
        training={"max_steps": 1, "batch_size": 2},
        template="chatml",
        generation={"max_new_tokens": 2},
    )
    folder = train(run)
    assert read_tree(folder.run_file).at(("model", "family")).plain() in (
        family, {"name": family},
    )  # fmt: skip
    manifest = json.loads(folder.manifest.read_text())
    assert manifest["parameters"]["trained"] > 0
    engine = load(folder.path)
    model = engine.model.get_base_model() if tuner == "lora" else engine.model
    assert type(model).__name__ == BY_FAMILY[family].model
    brought = BY_FAMILY[family].tokenizer
    assert not brought or type(engine.tokenizer).__name__ == brought
    assert isinstance(engine.answer([{"role": "user", "content": "Hi."}]), str)


def test_the_config_of_code_that_is_allowed_is_read_as_the_model_is(stand_in, allowed):
    folder = stand_in("qwen")
    assert type(config_at(folder)).__module__.startswith("transformers_modules")


def test_the_config_of_code_that_is_not_allowed_is_not_read(stand_in):
    with pytest.raises(BadModel, match="cannot be read"):
        config_at(stand_in("qwen"))


def test_without_leave_the_message_says_what_to_do(stand_in, small_run):
    with pytest.raises(BadRunFile) as fault:
        check(small_run(model={"path": str(stand_in("qwen"))}))
    (problem,) = fault.value.problems
    assert problem.key == "model.path"
    assert problem.problem == remote_code.FAULT
    assert "`--remote-code`" in problem.remedy
    assert "LUTHIER_REMOTE_CODE=1" in problem.remedy


def test_no_file_of_a_model_or_of_a_run_gives_leave(stand_in, small_run):
    folder = stand_in("qwen")
    config = json.loads((folder / "config.json").read_text())
    config |= {"trust_remote_code": True, "remote_code": True}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadRunFile, match="comes with code of its own"):
        check(small_run(model={"path": str(folder)}))
    for key in ("remote_code", "trust_remote_code"):
        with pytest.raises(BadRunFile, match="unknown key"):
            check(small_run(model={"path": str(folder), key: True}))
    with pytest.raises(BadRunFile, match="comes with code of its own"):
        check(small_run(model={"path": str(folder), "family": {"name": "qwen"}}))
    with pytest.raises(BadRunFile, match="comes with code of its own"):
        load(folder, ["generation.max_new_tokens=1"])


def test_a_family_of_transformers_may_have_models_that_need_their_code(
    stand_in, small_run, monkeypatch
):
    folder = stand_in("orion")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "kimi_k2", "architectures": ["DeepseekV3ForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(config))
    code = folder / "configuration_orion.py"
    code.write_text(code.read_text().replace('"orion"', '"kimi_k2"'))
    run = small_run(model={"path": str(folder)}, training={"max_steps": 1}, template="chatml")
    with pytest.raises(BadRunFile, match="comes with code of its own"):
        check(run)
    monkeypatch.setenv(remote_code.VARIABLE, "1")
    assert check(run).family.name == "kimi"
    assert train(run).model.is_dir()


def test_a_tokenizer_may_need_its_code_where_the_model_does_not(stand_in, small_run, monkeypatch):
    from luthier.plugins.families.tiny.making import tiny_model

    folder = stand_in("orion")
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((tiny_model() / name).read_bytes())
    run = small_run(model={"path": str(folder)}, training={"max_steps": 1}, template="chatml")
    with pytest.raises(BadRunFile, match="comes with code of its own"):
        check(run)
    monkeypatch.setenv(remote_code.VARIABLE, "1")
    assert type(load(train(run).path).tokenizer).__name__ == "OrionTokenizer"


@pytest.mark.parametrize(("family", "another"), [("qwen", "auto"), ("orion", "llama")])
def test_naming_another_family_runs_no_code_either(family, another, stand_in, small_run):
    run = small_run(model={"path": str(stand_in(family)), "family": another}, template="chatml")
    with pytest.raises(BadRunFile, match="--remote-code"):
        check(run)


def test_code_that_comes_with_a_model_that_transformers_holds_is_not_run(
    small_run, tmp_path, allowed
):
    import shutil

    from luthier.plugins.families.tiny.making import tiny_model

    folder = shutil.copytree(tiny_model(), tmp_path / "llama")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\nraise SystemExit")
    train(small_run(model={"path": str(folder)}, training={"max_steps": 1}))
    assert not (tmp_path / "run").is_file()


def test_the_option_of_the_command_line_gives_leave_for_its_process(stand_in, small_run, tmp_path):
    file = tmp_path / "run.json"
    file.write_text(json.dumps(small_run(model={"path": str(stand_in("qwen"))}, template="chatml")))
    command = [sys.executable, "-m", "luthier.core", "check", str(file)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "--remote-code" in refused.stderr
    granted = subprocess.run(
        [*command, "--remote-code"], capture_output=True, text=True, check=False
    )
    assert (granted.returncode, granted.stderr) == (0, "")


@pytest.mark.parametrize(
    ("family", "made", "is_outlined"),
    [("qwen", "linspace(0, 1, 3)", True), ("skywork", "ones(3)", False)],
)
def test_code_that_reads_numbers_as_it_is_made_is_no_fault(
    family, made, is_outlined, stand_in, small_run, allowed, tmp_path
):
    from luthier.core.model.opening import locate, model_spec
    from luthier.core.model.rehearsal import rehearse
    from luthier.core.run.program import settled

    # transformers keeps the code that it has read by the name of its folder
    folder = stand_in(family).rename(tmp_path / f"{family}-that-reads")
    (file,) = folder.glob("modeling*.py")
    line = "size, names = config.hidden_size, config.names"
    text = file.read_text().replace(line, f"{line}; self.rate = torch.{made}[1].item()")
    assert "self.rate" in text
    file.write_text(text)
    run = settled(small_run(model={"path": str(folder)}, template="chatml"))
    located = locate(model_spec(run, training=True))
    rehearse(located)
    outline = located.manager.hook.outline_model(model=located.spec, location=located.location)
    assert (outline is not None) == is_outlined
