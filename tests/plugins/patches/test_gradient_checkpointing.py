"""Gradient checkpointing: the losses and gradients of a run without it, from less memory."""

import json

import pytest
import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from luthier.core import BadModel, check, train
from luthier.core.model.remote_code import VARIABLE
from luthier.core.problems import BadRunFile
from luthier.plugins.patches.gradient_checkpointing import WITHOUT, GradientCheckpointing

SIZES = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
SMALL = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2}
CONFIGS = {
    "llama": lambda: transformers.LlamaConfig(**SIZES),
    "attention dropout": lambda: transformers.LlamaConfig(**SIZES, attention_dropout=0.3),
    "tied, soft caps": lambda: transformers.Gemma2Config(**SIZES, head_dim=8),
    "experts in one tensor": lambda: transformers.MixtralConfig(**SIZES, num_local_experts=4),
    "gpt2, with dropout": lambda: transformers.GPT2Config(**SMALL, n_embd=32, n_layer=3, n_head=4),
    "a state": lambda: transformers.MambaConfig(**SMALL, hidden_size=32, num_hidden_layers=3),
}
IDS = torch.arange(2, 42).reshape(2, 20)
PATCH = GradientCheckpointing()


def model_of(config):
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(CONFIGS[config]()).train()
    model.config.use_cache = False  # as transformers' Trainer does
    return model


def with_lora(model):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    config = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    return get_peft_model(model, config)


def step(model):
    """Return the loss of a batch, the gradients, and the bytes that were kept for the backward."""
    kept = {}

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(2)
    model.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = model(input_ids=IDS, labels=IDS).loss
    loss.backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return loss.detach(), gradients, sum(kept.values())


def require_same(found, expected):
    torch.testing.assert_close(found[0], expected[0], atol=1e-6, rtol=1e-6)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, atol=1e-6, rtol=1e-5, msg=name)


@pytest.mark.parametrize("config", CONFIGS)
def test_loss_and_gradients_are_those_without_it(config):
    expected = step(model_of(config))
    model = model_of(config)
    undo = PATCH.patch_model(model, "adapted")
    found = step(model)
    require_same(found, expected)
    assert found[2] < 0.6 * expected[2]
    undo()
    again = step(model)
    require_same(again, expected)
    assert again[2] == expected[2]
    assert not model.get_input_embeddings()._forward_hooks


def test_beside_frozen_weights_an_adapter_has_the_same_gradients():
    expected = step(with_lora(model_of("llama")))
    model = with_lora(model_of("llama"))
    PATCH.patch_model(model, "adapted")
    require_same(step(model), expected)
    assert all("lora" in name for name in expected[1])


def test_nothing_is_computed_again_in_evaluation():
    model = model_of("llama")
    PATCH.patch_model(model, "adapted")
    model.eval()
    layer, calls = model.model.layers[0].mlp, []
    layer.register_forward_hook(lambda *_: calls.append(1))
    model(input_ids=IDS, labels=IDS).loss.backward()
    assert len(calls) == 1


def test_before_the_adapter_is_there_nothing_happens():
    model = model_of("llama")
    assert PATCH.patch_model(model, "built") is None
    assert not any(getattr(m, "gradient_checkpointing", False) for m in model.modules())


WITH = {
    "by itself": ["~chunked-cross-entropy", "~padding-free"],
    "padding-free": ["padding-free"],
    "s2-attention": [{"name": "s2-attention", "tokens": 8}],
    "chunked-cross-entropy": [{"name": "chunked-cross-entropy", "tokens": 8}],
    "neftune, norms": ["neftune", "upcast-norms"],
}


@pytest.mark.parametrize("tuner", ["full", "lora"])
@pytest.mark.parametrize("patches", WITH)
def test_with_other_patches_a_run_has_the_losses_that_it_has_without_it(small_run, patches, tuner):
    losses = []
    for more in (["~gradient-checkpointing"], ["gradient-checkpointing"]):
        run = small_run(patches=[*WITH[patches], *more], tuner=tuner, training={"max_steps": 3})
        folder = train(run, ["training.log_every=1"], overwrite=True)
        rows = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
        losses.append([row["loss"] for row in rows if "loss" in row])
    assert len(losses[0]) == 3
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


def test_beside_quantized_weights_a_run_has_the_same_losses(small_run):
    pytest.importorskip("bitsandbytes", reason='needs pip install "luthier[bnb]"')
    losses = []
    for patch in ("~gradient-checkpointing", "gradient-checkpointing"):
        run = small_run(patches=[patch], tuner="lora", quantizer="bnb", training={"max_steps": 2})
        folder = train(run, ["training.log_every=1"], overwrite=True)
        rows = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
        losses.append([row["loss"] for row in rows if "loss" in row])
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


# --- where it cannot, and where it is a default -------------------------------------------------


def test_the_models_that_cannot_are_those_that_transformers_says_cannot():
    unable = set()
    for kind, names in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.items():
        name = names if isinstance(names, str) else names[0]
        if not getattr(transformers, name).supports_gradient_checkpointing:
            unable.add(kind)
    assert unable <= WITHOUT


def test_a_model_that_cannot_is_refused_with_the_way_out():
    model = transformers.AutoModelForCausalLM.from_config(
        transformers.XLNetConfig(d_model=32, n_layer=1, n_head=4, d_inner=32, vocab_size=64)
    )
    with pytest.raises(BadModel, match=r"XLNetLMHeadModel.*`patches: \[~gradient-checkpointing\]`"):
        PATCH.patch_model(model, "adapted")


@pytest.fixture
def unable_model(tmp_path):
    """A folder whose config is of a model that cannot."""
    folder = tmp_path / "model"
    folder.mkdir()
    config = {"model_type": "jetmoe", "architectures": ["JetMoeForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_of_a_model_that_cannot_check_tells_who_named_it_and_drops_the_default(
    small_run, unable_model, device_named_h100
):
    run = small_run(model={"path": unable_model, "family": "auto"}, template="chatml")
    with pytest.raises(BadRunFile, match="models of the type jetmoe cannot compute"):
        check({**run, "patches": ["gradient-checkpointing"]})
    resolved = check(run, device=device_named_h100)
    assert "gradient-checkpointing" not in [one.name for one in resolved.of("patches")]
    assert resolved.notes[0] == (
        "patches/gradient-checkpointing, a default, is left out: models of the type jetmoe cannot "
        "compute their layers again"
    )


@pytest.fixture
def model_with_code(tmp_path, monkeypatch):
    """A function: a folder of a model that brings code which holds such a line."""
    monkeypatch.setenv(VARIABLE, "1")

    def with_line(line):
        folder = tmp_path / "own"
        folder.mkdir(exist_ok=True)
        named = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
        config = {"model_type": "own", "architectures": ["Model"], "auto_map": named}
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "own.py").write_text(f"1 / 0  # is read, and not run\n{line}\n")
        return {"path": str(folder), "family": "auto"}

    return with_line


def test_of_code_that_says_nothing_of_it_the_default_is_dropped_and_told_and_who_names_it_tries(
    small_run, model_with_code, device_named_h100
):
    run = small_run(model=model_with_code("pass"), template="chatml")
    resolved = check(run, device=device_named_h100)
    assert "gradient-checkpointing" not in [one.name for one in resolved.of("patches")]
    assert resolved.notes[0] == (
        "patches/gradient-checkpointing, a default, is left out: the code that comes with the "
        "model does not say that it can compute layers again. Name it in `patches` to have it "
        "tried"
    )
    named = check({**run, "patches": ["gradient-checkpointing"]}, device=device_named_h100)
    assert "gradient-checkpointing" in [one.name for one in named.of("patches")]


@pytest.mark.parametrize("tail", ["", "  # as in 4.35"])
def test_of_code_that_says_it_can_the_default_stays(
    small_run, model_with_code, device_named_h100, tail
):
    model = model_with_code(f"class Model:\n    supports_gradient_checkpointing = True{tail}")
    resolved = check(small_run(model=model, template="chatml"), device=device_named_h100)
    assert "gradient-checkpointing" in [one.name for one in resolved.of("patches")]


@pytest.fixture
def device_named_h100():
    from luthier.core.device import device_named

    return device_named("h100")


def test_it_is_a_default_on_a_gpu_and_none_on_a_cpu_unless_it_is_named(
    small_run, device_named_h100
):
    def patches(run, device=None):
        return [one.name for one in check(run, device=device).of("patches")]

    assert "gradient-checkpointing" in patches(small_run(), device_named_h100)
    assert "gradient-checkpointing" not in patches(small_run())
    assert "gradient-checkpointing" in patches(small_run(patches=["gradient-checkpointing"]))
    assert check(small_run()).notes == check(small_run(patches=["~gradient-checkpointing"])).notes
