"""BitFit: which parameters are trained, and what it says where there are none."""

import pytest

from luthier.core import BadModel, check
from luthier.core.model.layers import LayerMap
from luthier.core.problems import BadRunFile
from luthier.plugins.tuners.bitfit import BitFit
from tests.sweep.miniatures import miniature


def trained(model_type, **options):
    model = miniature(model_type)
    BitFit(**options).attach_adapter(model=model, layers=LayerMap.of(model))
    return {name for name, one in model.named_parameters() if one.requires_grad}


def test_every_bias_term_is_trained_and_no_weight():
    names = trained("gpt2")
    assert {name.rpartition(".")[2] for name in names} == {"bias"}
    assert {"transformer.h.1.attn.c_attn.bias", "transformer.ln_f.bias"} <= names


def test_the_biases_of_experts_that_are_one_tensor_are_trained():
    names = trained("gpt_oss")
    assert "model.layers.0.mlp.experts.gate_up_proj_bias" in names
    assert all(name.endswith("bias") for name in names)


def test_norms_are_trained_besides_if_asked():
    assert trained("gpt2", norms=True) - trained("gpt2") == {
        "transformer.ln_f.weight",
        *(f"transformer.h.{layer}.ln_{norm}.weight" for layer in (0, 1) for norm in (1, 2)),
    }


def test_a_model_with_nothing_to_train_is_refused_with_the_way_out():
    with pytest.raises(BadModel, match=r"no bias terms. Train its norms: .*norms: true"):
        trained("llama")
    with pytest.raises(BadModel, match=r"no bias terms and no norms with weights.*`lora`"):
        trained("olmo", norms=True)


@pytest.mark.parametrize("optimizer", ["galore", "apollo", "muon"])
def test_an_optimizer_of_matrices_is_refused(small_run, optimizer):
    with pytest.raises(BadRunFile, match=r"for matrices of layers, and the tuner trains none"):
        check(small_run(tuner={"name": "bitfit", "norms": True}, optimizer=optimizer))
