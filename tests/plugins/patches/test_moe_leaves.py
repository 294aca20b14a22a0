"""Leaves for mixtures of experts: the blocks are found by their layers' types, and marked."""

import importlib.util
import logging

import pytest
import torch
import transformers

from luthier.core import BadModel, check
from luthier.core.model.layers import LayerMap
from luthier.core.problems import BadRunFile
from luthier.plugins.patches.moe_leaves import MoeLeaves, blocks_of

SIZES = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2,
}  # fmt: skip
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
LATENT = {
    "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "n_group": 2,
    "topk_group": 1, "first_k_dense_replace": 1, "q_lora_rank": 8, "kv_lora_rank": 8,
    "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8,
}  # fmt: skip
LAYERS = ["model.layers.0", "model.layers.1"]
BLOCKS = {
    "mixtral": (
        lambda: transformers.MixtralConfig(**SIZES, num_local_experts=4),
        [f"{layer}.mlp" for layer in LAYERS],
    ),
    "a shared expert": (
        lambda: transformers.Qwen2MoeConfig(**SIZES, **EXPERTS, shared_expert_intermediate_size=16),
        [f"{layer}.mlp" for layer in LAYERS],
    ),
    "the first layer dense": (
        lambda: transformers.DeepseekV3Config(**SIZES, **LATENT),
        ["model.layers.1.mlp"],
    ),
    "gpt-oss": (
        lambda: transformers.GptOssConfig(**SIZES, num_local_experts=4, head_dim=8),
        [f"{layer}.mlp" for layer in LAYERS],
    ),
    "granite": (
        lambda: transformers.GraniteMoeConfig(**SIZES, num_local_experts=4),
        [f"{layer}.block_sparse_moe" for layer in LAYERS],
    ),
    "no experts": (lambda: transformers.LlamaConfig(**SIZES), []),
}
needs_deepspeed = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason='needs pip install "luthier[deepspeed]"'
)


def model_of(name):
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(BLOCKS[name][0]())


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_the_smallest_module_with_experts_and_their_router(name):
    assert blocks_of(LayerMap.of(model_of(name))) == BLOCKS[name][1]


@needs_deepspeed
@pytest.mark.parametrize("name", ["mixtral", "the first layer dense"])
@pytest.mark.filterwarnings("ignore")  # deepspeed's own, as it is imported
def test_the_blocks_are_deepspeeds_leaves_until_it_is_undone(name, caplog):
    from deepspeed.utils import get_z3_leaf_modules

    model = model_of(name)
    with caplog.at_level(logging.WARNING):
        undo = MoeLeaves().patch_model(model, LayerMap.of(model), "built")
    assert get_z3_leaf_modules(model) == [model.get_submodule(n) for n in BLOCKS[name][1]]
    assert "not sharded by ZeRO-3" in caplog.text
    undo()
    assert get_z3_leaf_modules(model) == []
    assert MoeLeaves().patch_model(model, LayerMap.of(model), "adapted") is None


@needs_deepspeed
@pytest.mark.filterwarnings("ignore")
def test_a_model_without_experts_is_refused():
    model = model_of("no experts")
    with pytest.raises(BadModel, match="LlamaForCausalLM has no block of experts"):
        MoeLeaves().patch_model(model, LayerMap.of(model), "built")


def test_without_deepspeed_check_tells_how_to_install_it(small_run, monkeypatch):
    from luthier.core.runfile import choosing

    monkeypatch.setattr(choosing, "missing_packages", lambda cls: list(cls.packages))
    with pytest.raises(BadRunFile, match=r'deepspeed>=0\.18.*\n.*pip install "luthier\[deepspeed'):
        check(small_run(patches=["moe-leaves"], tuner="full"))
