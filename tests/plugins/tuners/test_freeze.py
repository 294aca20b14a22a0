"""Freeze-tuning: which parameters are trained."""

import pytest

from luthier.core import BadModel
from luthier.core.model.layers import LayerMap
from luthier.core.model.vocabulary import Vocabulary
from luthier.plugins.tuners.freeze import Freeze
from tests.sweep.miniatures import miniature

OLD = Vocabulary((), (), 0, 0)


def trained(model_type="llama", vocabulary=OLD, **options):
    model = miniature(model_type)
    Freeze(**options).attach_adapter(model=model, layers=LayerMap.of(model), vocabulary=vocabulary)
    return {name for name, one in model.named_parameters() if one.requires_grad}


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
