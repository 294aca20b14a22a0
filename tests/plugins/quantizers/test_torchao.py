"""torchao: what it is asked for, without the package; and with it, training beside its weights."""

import sys
import types

import pytest

from luthier.core.model.loading import LoadPlan
from luthier.plugins.quantizers.torchao import CLASSES, TorchAo

NEEDED = 'needs pip install "luthier[torchao]"'


@pytest.mark.parametrize("chosen", CLASSES)
def test_the_config_that_is_handed_over_is_that_of_the_type(monkeypatch, chosen):
    import transformers

    package = types.ModuleType("torchao")
    package.quantization = types.SimpleNamespace(
        **{name: lambda name=name: f"made by {name}" for name in CLASSES.values()}
    )
    monkeypatch.setitem(sys.modules, "torchao", package)
    monkeypatch.setattr(transformers, "TorchAoConfig", lambda config: {"handed over": config})
    plan = LoadPlan("float32")
    TorchAo(type=chosen).plan_load(plan)
    assert plan.quantization == {"handed over": f"made by {CLASSES[chosen]}"}


def test_a_model_that_is_stored_so_is_left_to_its_own_config():
    plan = LoadPlan("float32", {"quant_method": "torchao"})
    TorchAo().plan_load(plan)
    assert plan.quantization is None
    assert dict(plan.config) == {}


def test_the_type_of_a_stored_model_is_told_even_where_it_is_none_of_ours():
    def told(name):
        stored = {"quant_type": {"default": {"_type": name}}}
        return TorchAo.stored_options(stored)

    assert told("Int8WeightOnlyConfig") == {"type": "int8"}
    assert told("Int4WeightOnlyConfig") == {"type": "Int4WeightOnlyConfig"}


@pytest.mark.parametrize("stored", ["int8_weight_only", ["int8"]])
def test_a_stored_type_that_is_no_mapping_is_told_as_it_stands(stored):
    assert TorchAo.stored_options({"quant_type": stored}) == {"type": stored}


# --- with the package ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("chosen", CLASSES)
def test_an_adapter_beside_its_weights_learns_and_is_opened_as_it_was(opened_beside, chosen):
    pytest.importorskip("torchao", reason=NEEDED)
    opened, whole = opened_beside(name="torchao", type=chosen)
    held = opened.model.layers[0].self_attn.q_proj.weight
    weight = whole.model.layers[0].self_attn.q_proj.weight
    # a scale in float32 for each output
    parts = [
        getattr(held, name) for name in held.tensor_data_names if getattr(held, name) is not None
    ]
    bits = 8 * sum(t.numel() * t.element_size() for t in parts) / weight.numel()
    assert bits == pytest.approx(8 + 32 / 128, abs=0.01)
    assert (held.dequantize() - weight).abs().max() < 0.05 * weight.abs().max()
