"""Unsloth: what its FastLanguageModel is handed, and what the run is refused beside it.

The package wants a GPU and an environment of its own, so a stand-in takes its place at the import.
"""

import sys
import types
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers

from luthier.core import BadModel, check
from luthier.core.device import device_named
from luthier.core.model.layers import LayerMap
from luthier.core.model.loading import LoadPlan
from luthier.core.problems import BadRunFile
from luthier.core.wiring import manager_of, steps
from luthier.plugins.tuners.unsloth import Unsloth

SPEC = SimpleNamespace(revision="main", max_length=512)
H100 = device_named("h100")


@pytest.fixture
def handed(monkeypatch):
    """What the stand-in of FastLanguageModel is called with."""
    calls = {}

    class FastLanguageModel:
        @staticmethod
        def from_pretrained(**arguments):
            calls["load"] = arguments
            if "broken" in arguments["model_name"]:
                raise RuntimeError("Unsloth: no such model.\nDo something else.")
            return "model", "tokenizer"

        @staticmethod
        def get_peft_model(model, **arguments):
            calls["attach"] = arguments
            return model

    module = types.ModuleType("unsloth")
    module.FastLanguageModel = FastLanguageModel
    monkeypatch.setitem(sys.modules, "unsloth", module)
    return calls


def test_the_model_is_loaded_as_the_plan_says(handed):
    plan = LoadPlan("bfloat16")
    assert Unsloth().load_model(SPEC, Path("models/mine"), plan) == "model"
    assert handed["load"] == {
        "model_name": "models/mine",
        "revision": "main",
        "max_seq_length": 512,
        "dtype": torch.bfloat16,
        "load_in_4bit": False,
        "load_in_8bit": False,
        "use_exact_model_name": True,
        "fix_tokenizer": False,
        "trust_remote_code": False,
    }


def test_a_quantizers_plan_is_handed_on(handed):
    plan = LoadPlan("bfloat16")
    plan.quantization = transformers.BitsAndBytesConfig(load_in_4bit=True)
    plan.device_map = {"": 0}
    Unsloth().load_model(SPEC, "owner/name", plan)
    assert handed["load"]["quantization_config"] is plan.quantization
    assert (handed["load"]["load_in_4bit"], handed["load"]["load_in_8bit"]) == (True, False)
    assert handed["load"]["device_map"] == {"": 0}


def test_what_it_cannot_load_is_told_and_so_is_a_changed_config(handed):
    with pytest.raises(BadModel, match=r"load owner/broken: Unsloth: no such model\. Choose"):
        Unsloth().load_model(SPEC, "owner/broken", LoadPlan("bfloat16"))
    handed.clear()
    plan = LoadPlan("bfloat16")
    plan.change_config("rope_parameters", {})
    with pytest.raises(BadModel, match="`rope_parameters` of its config is not handed on"):
        Unsloth().load_model(SPEC, "owner/name", plan)
    assert not handed


def model_of(config, **sizes):
    return transformers.AutoModelForCausalLM.from_config(
        config(vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
               num_attention_heads=2, **sizes)
    )  # fmt: skip


def test_the_adapter_is_attached_to_the_layers_that_the_targets_stand_for(handed):
    model = model_of(transformers.LlamaConfig)
    torch.manual_seed(7)
    tuner = Unsloth(rank=4, targets=["q_proj", "mlp-down"], dropout=0.1)
    assert tuner.attach_adapter(model, LayerMap.of(model)) is model
    assert handed["attach"] == {
        "r": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.1,
        "target_modules": ["model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj"],
        "target_parameters": [],
        "use_gradient_checkpointing": "unsloth",
        "random_state": 7,
    }


def test_experts_in_one_tensor_are_handed_over_as_parameters(handed):
    model = model_of(transformers.MixtralConfig, num_local_experts=2, num_key_value_heads=2)
    Unsloth(targets="experts", alpha=3).attach_adapter(model, LayerMap.of(model))
    assert handed["attach"]["lora_alpha"] == 3
    assert handed["attach"]["target_modules"] == []
    assert sorted(handed["attach"]["target_parameters"]) == [
        "model.layers.0.mlp.experts.down_proj",
        "model.layers.0.mlp.experts.gate_up_proj",
    ]


# --- in a run file ------------------------------------------------------------------------------


def test_check_refuses_it_on_a_cpu_and_without_the_package(small_run, monkeypatch):
    from luthier.core.runfile import choosing

    run = small_run(tuner="unsloth")
    monkeypatch.setattr(choosing, "missing_packages", lambda cls: list(cls.packages))
    with pytest.raises(BadRunFile, match=r'unsloth>=2025\.10.*\n.*"luthier\[unsloth\]"'):
        check(run, device=H100)
    monkeypatch.setattr(choosing, "missing_packages", lambda _: [])
    with pytest.raises(BadRunFile, match=r"tuners/unsloth cannot run here \(cpu\)"):
        check(run)


def test_beside_it_the_default_patches_are_left_out_and_told(small_run, monkeypatch):
    from luthier.core.runfile import choosing

    monkeypatch.setattr(choosing, "missing_packages", lambda _: [])
    run = check(small_run(tuner={"name": "unsloth", "rank": 16}), device=H100)
    assert run.of("patches") == []
    for name in ("chunked-cross-entropy", "gradient-checkpointing", "padding-free"):
        assert any(f"patches/{name}, a default, is left out" in note for note in run.notes)
    manager = manager_of(run.selected)
    for hook in ("load_model", "attach_adapter"):
        assert steps(manager, hook)[0].owner == "tuners/unsloth"


@pytest.mark.parametrize("patch", ["sdpa", "s2-attention", "padding-free", "chunked-cross-entropy"])
def test_what_reaches_into_the_models_code_is_refused_beside_it(small_run, patch, monkeypatch):
    from luthier.core.runfile import choosing

    monkeypatch.setattr(choosing, "missing_packages", lambda _: [])
    with pytest.raises(BadRunFile, match=f"tuners/unsloth cannot go with patches/{patch}"):
        check(small_run(tuner="unsloth", patches=[patch]), device=H100)
