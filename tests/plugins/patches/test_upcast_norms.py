"""Norms in float32: what comes out is nearer the exact norm, and nothing else changes."""

import copy
import json

import pytest
import torch
import transformers
from safetensors.torch import load_file

from luthier.core import train
from luthier.core.model.layers import LayerMap, LayerType
from luthier.plugins.patches.upcast_norms import UpcastNorms, in_float32

SIZES = {
    "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
CONFIGS = {
    "llama": lambda: transformers.LlamaConfig(**SIZES, intermediate_size=48),
    "norms of heads": lambda: transformers.Qwen3Config(
        **SIZES, intermediate_size=48, head_dim=8, num_key_value_heads=2
    ),
    "layer norms": lambda: transformers.GPTNeoXConfig(**SIZES, intermediate_size=48),
    "gated norms": lambda: transformers.Mamba2Config(
        **{**SIZES, "num_attention_heads": 4}, num_heads=8, head_dim=8, state_size=8, n_groups=1
    ),
}
IDS = torch.arange(2, 22)[None]


def model_of(config, dtype=torch.bfloat16):
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(CONFIGS[config]())
    for parameter in model.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    return model.to(dtype).train()


def norms_of(model):
    return [model.get_submodule(name) for name in LayerMap.of(model).names_of(LayerType.NORM)]


def patched(model):
    return UpcastNorms().patch_model(model, LayerMap.of(model), "adapted")


@pytest.mark.parametrize("config", CONFIGS)
def test_each_norm_is_computed_in_float32_and_gives_the_dtype_that_it_got(config):
    model = model_of(config)
    exact = {norm: copy.deepcopy(norm).float() for norm in norms_of(model)}
    seen = []

    def note(norm, args, output):
        raised = [arg.float() if isinstance(arg, torch.Tensor) else arg for arg in args]
        seen.append((args[0].dtype, output, exact[norm](*raised)))

    undo = patched(model)
    for norm in exact:
        norm.register_forward_hook(note)
    logits = model(input_ids=IDS, use_cache=False).logits
    assert len(seen) >= len(exact)
    for dtype, output, expected in seen:
        assert output.dtype == dtype
        assert torch.equal(output, expected.to(dtype))
    logits.float().sum().backward()
    assert all(norm.weight.grad.dtype == torch.bfloat16 for norm in exact)
    undo()


@pytest.mark.parametrize("config", CONFIGS)
def test_under_autocast_the_gradients_are_those_of_float32_weights(config):
    model, exact = model_of(config, torch.float32), model_of(config, torch.float32)
    patched(model)
    for one in (model, exact):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            one(input_ids=IDS, labels=IDS, use_cache=False).loss.backward()
    for norm, other in zip(norms_of(model), norms_of(exact), strict=True):
        torch.testing.assert_close(norm.weight.grad, other.weight.grad, rtol=0.05, atol=0.02)


def test_what_comes_out_is_the_exact_norm_rounded_once():
    model = model_of("llama")
    norm = norms_of(model)[0]
    hidden = torch.randn(4, 32, dtype=torch.bfloat16)
    weight = norm.weight.detach().double()
    exact = hidden.double() * hidden.double().pow(2).mean(-1, keepdim=True).add(1e-6).rsqrt()
    before = (norm(hidden).double() - exact * weight).abs().sum()
    patched(model)
    found = norm(hidden)
    torch.testing.assert_close(found, (exact * weight).to(torch.bfloat16), atol=0, rtol=2**-8)
    assert (found.double() - exact * weight).abs().sum() < before


def test_in_float32_it_changes_nothing():
    model = model_of("llama", torch.float32)
    expected = model(input_ids=IDS).logits
    patched(model)
    assert torch.equal(model(input_ids=IDS).logits, expected)


def test_undone_each_norm_is_as_it_was():
    model = model_of("layer norms")
    before = dict(model.named_parameters())
    expected = model(input_ids=IDS).logits
    norms_of(model)[0].forward = norms_of(model)[0].forward  # as another patch would
    kept = norms_of(model)[0].forward
    undo = patched(model)
    model(input_ids=IDS)
    assert {name: id(p) for name, p in model.named_parameters()} == {
        name: id(p) for name, p in before.items()
    }
    undo()
    assert torch.equal(model(input_ids=IDS).logits, expected)
    assert vars(norms_of(model)[0])["forward"] is kept
    assert "forward" not in vars(norms_of(model)[1])
    assert UpcastNorms().patch_model(model, LayerMap.of(model), "built") is None


def test_the_saved_model_has_the_precision_and_the_names_that_it_has_without(small_run):
    saved = []
    for patches in ([], ["upcast-norms"]):
        folder = train(small_run(model={"path": "tiny", "dtype": "bfloat16"}, patches=patches,
                                 training={"max_steps": 2}), overwrite=True)  # fmt: skip
        weights = load_file(folder.model / "model.safetensors")
        config = json.loads((folder.model / "config.json").read_text())
        saved.append(({name: w.dtype for name, w in weights.items()}, config["dtype"]))
    assert saved[0] == saved[1]


def test_a_norm_that_gives_a_tuple_gives_its_parts_in_the_precision_that_it_got():
    class Adding(torch.nn.LayerNorm):
        def forward(self, hidden, residual):
            return super().forward(hidden + residual), residual, None

    computed = in_float32(Adding(4).bfloat16())
    states = torch.ones(1, 2, 4, dtype=torch.bfloat16)
    normed, residual, absent = computed(states, states)
    assert normed.dtype == residual.dtype == torch.bfloat16
    assert absent is None
