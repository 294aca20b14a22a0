"""Freeze-tuning: which parameters are trained."""

import pytest

from luthier.core import BadModel
from luthier.core.model.layers import LayerMap
from luthier.core.model.vocabulary import Vocabulary
from luthier.plugins.tuners.freeze import Freeze
from tests.sweep.miniatures import miniature

OLD = Vocabulary((), (), 0, 0)


def tuned(model_type="llama", vocabulary=OLD, **options):
    model = miniature(model_type)
    layers = LayerMap.of(model)
    Freeze(**options).attach_adapter(model=model, layers=layers, vocabulary=vocabulary)
    return {name for name, one in model.named_parameters() if one.requires_grad}, layers


def trained(*args, **options):
    return tuned(*args, **options)[0]


@pytest.mark.parametrize(("layers", "number"), [(1, "1"), (-1, "0")])
def test_the_last_layers_are_trained_or_the_first(layers, number):
    names = trained(layers=layers)
    assert {name.split(".")[2] for name in names} == {number}
    assert any("layernorm" in name for name in names)


def test_of_a_layer_what_is_named_by_type_or_name_is_trained():
    names = trained(layers=1, modules=["mlp-down", "q_proj", "norm"])
    assert {name.rpartition("layers.1.")[2] for name in names} == {
        "mlp.down_proj.weight", "self_attn.q_proj.weight", "input_layernorm.weight",
        "post_attention_layernorm.weight",
    }  # fmt: skip


def test_an_expression_chooses_among_the_layers_that_are_trained():
    names = trained(layers=1, modules=r".*\.[qk]_proj|.*input_layernorm")
    assert {name.rpartition("layers.1.")[2] for name in names} == {
        "self_attn.q_proj.weight", "self_attn.k_proj.weight", "input_layernorm.weight",
    }  # fmt: skip
    with pytest.raises(
        BadModel, match=r"'q_proj' is no whole name.*Write it as a list: \[q_proj\]"
    ):
        trained(modules="q_proj")
    with pytest.raises(BadModel, match=r"no regular expression: .* Mend it, or write"):
        trained(modules="(q_proj")


ATTENTION = {f"attention-{one}": 1 for one in ("query", "key", "value", "output")}
MLP = {"mlp-gate": 1, "mlp-up": 1, "mlp-down": 1}


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({"layers": 1}, {**ATTENTION, **MLP, "norm": 2}),
        ({"layers": 2, "modules": "mlp-down"}, {"mlp-down": 2}),
        ({"layers": 1, "modules": "mlp", "besides": ["norm"]}, {**MLP, "norm": 1}),
    ],
)
def test_what_was_resolved_is_counted_of_the_trained_layers_alone(options, counts):
    assert tuned(**options)[1].resolved == counts


def test_what_stands_nowhere_outside_of_the_layers_is_refused_there():
    with pytest.raises(BadModel, match="'q_proj'"):
        trained(besides=["q_proj"])


def test_experts_that_are_one_tensor_are_trained_by_their_type():
    names = trained("mixtral", layers=1, modules="experts")
    assert {name.rpartition("layers.1.mlp.")[2] for name in names} == {
        "experts.gate_up_proj", "experts.down_proj",
    }  # fmt: skip


def test_what_stands_outside_of_the_layers_is_trained_if_asked():
    outside = {
        name for name in trained(layers=1, besides=["head", "norm"]) if ".layers." not in name
    }
    assert outside == {"lm_head.weight", "model.norm.weight"}


def test_the_embedding_is_trained_where_tokens_are_new():
    names = trained(layers=1, vocabulary=Vocabulary(("<new>",), (98,), 98, 99))
    assert {"model.embed_tokens.weight", "lm_head.weight"} <= names


def test_a_number_or_a_name_that_is_not_there_is_refused():
    with pytest.raises(BadModel, match=r"has 2 decoder layers.*from 1 to 2"):
        trained(layers=3)
    with pytest.raises(BadModel, match=r"'mpl' matches no layer.*Did you mean 'mlp'"):
        trained(modules=["mpl"])
