"""The types of a built model's layers, and what a run file's targets stand for."""

import pytest
from torch import nn
from transformers.pytorch_utils import Conv1D

from luthier.core import BadModel
from luthier.core.model.layers import LayerMap, LayerType
from tests.sweep.miniatures import miniature


@pytest.fixture(scope="module")
def llama():
    return miniature("llama")


@pytest.fixture
def layers(llama):
    return LayerMap.of(llama)


def test_every_layer_of_a_llama_is_typed_without_a_word_of_its_family(llama, layers):
    linear = {name for name, module in llama.named_modules() if isinstance(module, nn.Linear)}
    assert linear <= layers.types.keys()
    assert layers.types["lm_head"] is LayerType.HEAD
    assert layers.types["model.embed_tokens"] is LayerType.EMBEDDING
    assert layers.types["model.layers.1.mlp.up_proj"] is LayerType.UP
    assert layers.types["model.layers.1.input_layernorm"] is LayerType.NORM
    assert not layers.parameters


@pytest.mark.parametrize(
    ("targets", "count"),
    [
        ("all", 14),
        ("attention", 8),
        ("mlp", 6),
        ("mlp-up", 2),
        (["q_proj", "v_proj"], 4),
        (["attention", "down_proj", "lm_head"], 11),
        (r"model\.layers\.0\..*_proj", 7),
        (["layers.1.self_attn.q_proj"], 1),
    ],
)
def test_targets_are_resolved_by_group_type_name_or_expression(layers, targets, count):
    found = layers.resolve(targets)
    assert len(found) == len(set(found)) == count
    assert layers.resolved.total() == count


@pytest.mark.parametrize("targets", ["q_porj", ["q_proj", "q_porj"], r".*\.conv", "experts"])
def test_a_target_that_matches_nothing_is_answered_with_what_there_is(layers, targets):
    with pytest.raises(BadModel, match=r"matches no layer.*q_proj"):
        layers.resolve(targets)


def test_the_end_of_a_name_by_itself_is_answered_with_the_list_that_is_meant(layers):
    with pytest.raises(BadModel, match=r"the end of some. Write it as a list: \[q_proj\]"):
        layers.resolve("q_proj")
    assert layers.resolve(["q_proj"])


def test_a_target_that_is_no_expression_is_refused(layers):
    with pytest.raises(BadModel, match=r"'q_proj\(' is no regular expression"):
        layers.resolve("q_proj(")


def test_what_was_resolved_is_told_with_counts(layers):
    layers.resolve(["q_proj", "v_proj"])
    assert str(layers) == "4 layers: attention-query 2, attention-value 2"
    assert layers.counts(layers.resolve("mlp-up")) == {LayerType.UP: 2}


def test_what_a_family_declares_comes_before_what_names_tell(llama):
    layers = LayerMap.of(llama, {r"mlp\.(gate|up)_proj": LayerType.RESIDUAL})
    assert len(layers.names_of(LayerType.RESIDUAL)) == 4
    assert not layers.names_of(LayerType.UP)
    assert len(layers.names_of(LayerType.DOWN)) == 2


class Unknown(nn.Module):
    """A model of nobody's."""

    def __init__(self):
        super().__init__()
        self.frobnicate = nn.Linear(2, 2)
        self.turn = Conv1D(2, 2)
        self.q_proj = nn.Linear(2, 2)
        self.pile = nn.Parameter(nn.Linear(2, 6).weight.reshape(3, 2, 2))
        self.scale = nn.Parameter(nn.Linear(2, 2).weight)


def test_what_is_linear_and_has_a_name_of_its_own_is_other_and_adapted_with_all():
    layers = LayerMap.of(Unknown())
    assert set(layers.names_of(LayerType.OTHER)) == {"pile", "frobnicate", "turn"}
    assert set(layers.resolve("all")) == {"pile", "frobnicate", "turn", "q_proj"}
    assert layers.parameters == {"pile": "pile"}


def test_experts_of_one_tensor_are_layers_by_their_parameter():
    layers = LayerMap.of(miniature("mixtral"))
    experts = layers.resolve("experts")
    assert {layers.types[name] for name in experts} == {
        LayerType.EXPERT_GATE_UP, LayerType.EXPERT_DOWN,
    }  # fmt: skip
    name = "model.layers.0.mlp.experts.down_proj"
    assert layers.parameters[name] == name
    assert layers.parameters["model.layers.0.mlp.gate"] == "model.layers.0.mlp.gate.weight"


def test_layers_beside_which_nothing_can_be_trained_are_left_out_or_refused_with_the_reason():
    layers = LayerMap.of(miniature("jamba"))
    beside = layers.resolve(r".*\.(q_proj|in_proj)", beside=True)
    assert {layers.types[name] for name in beside} == {
        LayerType.QUERY, LayerType.STATE_SPACE_INPUT,
    }  # fmt: skip
    with pytest.raises(BadModel, match=r"mamba\.out_proj: the fused kernel reads its weights"):
        layers.resolve(["in_proj", "out_proj"], beside=True)
    assert layers.resolve(["out_proj"])


@pytest.mark.parametrize("wrapped", ["", "base_model.model."])
def test_a_parameter_is_of_the_type_of_the_layer_that_it_belongs_to_or_stands_beside(wrapped):
    experts = "model.layers.0.mlp.experts"
    layers = LayerMap(
        {"model.layers.0.mlp.up": LayerType.UP, f"{experts}.up": LayerType.EXPERT_UP},
        {f"{experts}.up": f"{experts}.up"},
    )
    assert layers.type_of(f"{wrapped}model.layers.0.mlp.up.weight") is LayerType.UP
    assert layers.type_of(f"{wrapped}model.layers.0.mlp.up.lora_A.default.weight") is LayerType.UP
    assert layers.type_of(f"{wrapped}{experts}.up") is LayerType.EXPERT_UP
    assert layers.type_of(f"{wrapped}{experts}.lora_A.default.weight") is LayerType.EXPERT
    assert layers.type_of("prompt_encoder.default.embedding.weight") is None
