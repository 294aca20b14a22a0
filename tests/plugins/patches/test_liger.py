"""Liger kernels: what the package is told, what it puts into a model, and that it comes out again.

Its kernels want a GPU. What it is handed is held against a stand-in; where it is installed, what it
puts where is held against itself.
"""

import importlib.util
import sys
import types

import pytest
import transformers
from transformers.models.llama import modeling_llama

from luthier.core import BadModel, check
from luthier.core.device import device_named
from luthier.core.problems import BadRunFile
from luthier.plugins.patches.liger import Liger

ALL = {"rope", "rms_norm", "layer_norm", "swiglu", "geglu", "relu_squared"}


@pytest.fixture
def model():
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2,
        )
    )  # fmt: skip


@pytest.fixture
def handed(monkeypatch):
    """What the package's function is called with; it changes a model as the package does."""
    calls = []

    def apply(model, **arguments):
        calls.append(arguments)
        norm = model.model.norm
        norm.variance_epsilon, norm.offset = 0.5, 0.0
        norm.__dict__["forward"] = lambda hidden: hidden
        modeling_llama.apply_rotary_pos_emb = apply

    package = types.ModuleType("liger_kernel.transformers")
    package._apply_liger_kernel_to_instance = apply
    table = types.ModuleType("liger_kernel.transformers.monkey_patch")
    table.MODEL_TYPE_TO_APPLY_LIGER_FN = {"llama": apply}
    monkeypatch.setitem(sys.modules, "liger_kernel", types.ModuleType("liger_kernel"))
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setitem(sys.modules, table.__name__, table)
    return calls


@pytest.mark.parametrize(
    ("options", "off"),
    [
        ({}, set()),
        ({"rope": False}, {"rope"}),
        ({"norms": False}, {"rms_norm", "layer_norm"}),
        ({"mlp": False}, {"swiglu", "geglu", "relu_squared"}),
    ],
)
def test_the_package_is_told_what_to_apply_and_never_its_loss(model, handed, options, off):
    Liger(**options).patch_model(model, "built")()
    (arguments,) = handed
    assert {name for name, on in arguments.items() if on} == ALL - off
    assert arguments["cross_entropy"] is False
    assert arguments["fused_linear_cross_entropy"] is False


def test_undone_the_model_and_transformers_are_as_they_were(model, handed):
    rope, before = modeling_llama.apply_rotary_pos_emb, dict(vars(model.model.norm))
    undo = Liger().patch_model(model, "built")
    assert modeling_llama.apply_rotary_pos_emb is not rope
    model.model.norm.marked = True  # what others do meanwhile stays
    undo()
    assert modeling_llama.apply_rotary_pos_emb is rope
    assert vars(model.model.norm) == {**before, "marked": True}
    assert Liger().patch_model(model, "adapted") is None
    assert len(handed) == 1


@pytest.mark.usefixtures("handed")
def test_a_model_that_it_has_no_kernels_for_is_refused():
    config = transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=64)
    with pytest.raises(BadModel, match=r"of the type gpt2.*one of: llama\."):
        Liger().patch_model(transformers.GPT2LMHeadModel(config), "built")


def test_check_refuses_it_on_a_cpu_and_without_the_package(small_run, monkeypatch):
    from luthier.core.runfile import choosing

    run = small_run(patches=["liger"], tuner="full")
    monkeypatch.setattr(choosing, "missing_packages", lambda cls: list(cls.packages))
    with pytest.raises(BadRunFile, match=r'liger-kernel>=0\.6.*\n.*"luthier\[liger\]"'):
        check(run, device=device_named("h100"))
    monkeypatch.setattr(choosing, "missing_packages", lambda _: [])
    with pytest.raises(BadRunFile, match=r"patches/liger cannot run here \(cpu\)"):
        check(run)
    assert "liger" in [one.name for one in check(run, device=device_named("mi300x")).selected]


@pytest.mark.skipif(
    importlib.util.find_spec("liger_kernel") is None, reason='needs pip install "luthier[liger]"'
)
@pytest.mark.filterwarnings("ignore")  # the package's own, as it is imported
def test_the_package_itself_patches_norms_mlps_and_positions_and_comes_out_again(model):
    layer, rope = model.model.layers[0], modeling_llama.apply_rotary_pos_emb
    undo = Liger().patch_model(model, "built")
    assert "Liger" in layer.mlp.forward.__qualname__
    assert "Liger" in layer.input_layernorm.forward.__qualname__
    assert "liger" in modeling_llama.apply_rotary_pos_emb.__name__
    assert type(model).forward is transformers.LlamaForCausalLM.forward
    assert "forward" not in vars(model)
    undo()
    assert modeling_llama.apply_rotary_pos_emb is rope
    assert modeling_llama.LlamaRMSNorm.__module__ == "transformers.models.llama.modeling_llama"
    assert "forward" not in vars(layer.mlp)
