"""What a layer's name tells in its place."""

import pytest

from luthier.core.model.layer_names import type_named
from luthier.core.model.layer_types import GROUPS, KEPT, LayerType


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("transformer.h.3.attn.c_proj", "attention-output"),
        ("transformer.h.3.mlp.c_proj", "mlp-down"),
        ("gpt_neox.layers.0.attention.dense", "attention-output"),
        ("reformer.encoder.layers.0.feed_forward.output.dense", "mlp-down"),
        ("reformer.encoder.layers.0.attention.output.dense", "attention-output"),
        ("model.layers.0.self_attn.out_proj", "attention-output"),
        ("model.layers.0.mamba.out_proj", "state-space-output"),
        ("model.layers.0.conv.out_proj", "recurrent-output"),
        ("model.layers.0.self_attn.gate_proj", "attention-gate"),
        ("model.layers.0.mlp.gate_proj", "mlp-gate"),
        ("model.layers.0.mlp.gate", "router"),
        ("model.layers.0.mlp.gate.wg", "router"),
        ("model.layers.0.mlp.shared_expert_gate", "router"),
        ("model.layers.0.mlp.experts.7.w2", "expert-down"),
        ("model.layers.0.mlp.experts.gate_up_proj", "expert-gate-up"),
        ("model.layers.0.mlp.shared_experts.up_proj", "shared-expert-up"),
        ("model.layers.0.self_attn.indexer.wk", "selector"),
        ("rwkv.blocks.0.attention.key", "attention-key"),
        ("rwkv.blocks.0.feed_forward.key", "mlp-up"),
        ("transformer.h.0.ffn.2", "mlp-down"),
        ("model.layers.0.self_attn.q_proj.linear", "attention-query"),
        # models that bring their own code
        ("model.layers.0.self_attn.W_pack", "attention-query-key-value"),
        ("encoder.layers.0.self_attention.query_key_value", "attention-query-key-value"),
        ("model.layers.0.attention.wqkv", "attention-query-key-value"),
        ("model.layers.0.attention.wo", "attention-output"),
        ("model.layers.0.feed_forward.w3", "mlp-up"),
    ],
)  # fmt: skip
def test_a_name_tells_the_type_in_its_place(name, told):
    assert type_named(name) == told


@pytest.mark.parametrize("name", ["model.layers.0.frobnicator", "gadget.7"])
def test_a_name_that_nobody_knows_tells_nothing(name):
    assert type_named(name) is None


def test_all_leaves_out_what_there_is_a_reason_for_and_nothing_else():
    assert GROUPS["all"] | KEPT.keys() == set(LayerType)
    assert not GROUPS["all"] & KEPT.keys()
    assert all(group & GROUPS["all"] for group in GROUPS.values())
