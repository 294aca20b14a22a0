"""HQQ: what it is asked for, without the package; and with it, training beside its layers."""

import sys
import types

import pytest
import torch

from luthier.core import BadModel
from luthier.core.model.layers import LayerMap, LayerType
from luthier.plugins.quantizers.hqq import Hqq

NEEDED = 'needs pip install "luthier[hqq]"'


@pytest.fixture
def asked(monkeypatch):
    """Put a recorder in the place of the package; return what it is asked for."""
    calls = []

    class Recorded(torch.nn.Module):
        def __init__(self, layer, config, **settings):
            super().__init__()
            calls.append({"layer": layer, **config, **settings})

    module = types.ModuleType("hqq.core.quantize")
    module.BaseQuantizeConfig = lambda **settings: settings
    module.HQQLinear = Recorded
    for name in ("hqq", "hqq.core"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "hqq.core.quantize", module)
    return calls


def layers():
    model = torch.nn.Sequential(
        torch.nn.Linear(64, 32), torch.nn.LayerNorm(32), torch.nn.Linear(32, 9)
    )
    model = model.bfloat16()
    types_of = {"0": LayerType.GATE, "1": LayerType.NORM, "2": LayerType.HEAD}
    return model, LayerMap(types_of)


def test_each_linear_layer_of_the_blocks_is_handed_over_with_the_options(asked):
    model, types_of = layers()
    first, head = model[0], model[2]
    assert Hqq(bits=3, group_size=32).patch_model(model, types_of, "built") is None
    assert asked == [
        {"layer": first, "nbits": 3, "group_size": 32, "axis": 1,
         "compute_dtype": torch.bfloat16, "device": "cpu"}
    ]  # fmt: skip
    assert type(model[0]).__name__ == "Recorded"
    assert model[2] is head
    assert not types_of.resolved  # else the tuner's targets would be told twice
    Hqq().patch_model(model, types_of, "adapted")
    assert len(asked) == 1


def test_weights_that_do_not_divide_into_groups_are_refused(asked):
    model, types_of = layers()
    with pytest.raises(BadModel, match=r"the 64 inputs of 0 do not divide into groups of 48"):
        Hqq(group_size=48).patch_model(model, types_of, "built")


def test_experts_in_one_tensor_are_left_whole_and_told(asked, caplog):
    model = torch.nn.Module()
    model.gate = torch.nn.Linear(64, 4)
    model.experts = torch.nn.ParameterDict({"up": torch.zeros(4, 64, 64)})
    types_of = {"gate": LayerType.GATE, "experts.up": LayerType.EXPERT_UP}
    Hqq().patch_model(model, LayerMap(types_of, {"experts.up": "experts.up"}), "built")
    assert len(asked) == 1
    assert "1 layer stays whole, which is experts in one tensor" in caplog.text


# --- with the package ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bits", [8, 4])
def test_an_adapter_beside_its_layers_learns_and_is_opened_as_it_was(opened_beside, bits):
    pytest.importorskip("hqq", reason=NEEDED)
    opened, whole = opened_beside(name="hqq", bits=bits)
    layer = opened.model.layers[0].self_attn.q_proj
    weight = whole.model.layers[0].self_attn.q_proj.weight
    held = sum(
        t.numel() * t.element_size()
        for t in (layer.W_q, *(layer.meta[k] for k in ("scale", "zero")))
    )
    # a scale and a zero in float32 for 64 weights
    assert 8 * held / weight.numel() == pytest.approx(bits + 2 * 32 / 64, abs=0.01)
    # rounding to 2**bits values over the spread of a group is off by half a step at most
    step = (weight.amax() - weight.amin()) / (2**bits - 1)
    assert (layer.dequantize() - weight).abs().max() < step
