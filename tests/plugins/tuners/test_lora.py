"""LoRA on layers, and on experts that are one tensor."""

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM

from luthier.core import BadModel
from luthier.core.model.adapters import with_adapter
from luthier.core.model.layers import LayerMap
from luthier.core.model.vocabulary import Vocabulary
from luthier.plugins.tuners.lora import Lora
from tests.sweep.miniatures import miniature


def adapted(model, **options):
    return Lora(**options).attach_adapter(
        model=model, layers=LayerMap.of(model), vocabulary=Vocabulary((), (), 0, 0), adapter=None
    )


def adapted_layers(model):
    return {
        name.removeprefix("base_model.model.").replace(".base_layer", "")
        + (f".{layer.parameter_name}" if hasattr(layer, "parameter_name") else "")
        for name, layer in model.named_modules()
        if isinstance(layer, LoraLayer)
    }


def logits(model):
    with torch.no_grad():
        return model.eval()(input_ids=torch.arange(3, 20)[None]).logits


def scrambled(model):
    """Give the second matrices values: they begin at zero, and would change nothing."""
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def test_the_shared_expert_and_the_first_mlp_have_adapters_beside_the_experts():
    names = adapted_layers(adapted(miniature("deepseek_v3")))
    assert {
        "model.layers.0.mlp.gate_proj.weight",
        "model.layers.1.mlp.shared_experts.gate_proj.weight",
        "model.layers.1.mlp.experts.gate_up_proj",
    } <= names


def test_the_update_of_experts_is_scaled_by_alpha_and_rank_as_given():
    model = adapted(miniature("deepseek_v3"), rank=4, alpha=6)
    layers = [layer for layer in model.modules() if isinstance(layer, LoraLayer)]
    assert {layer.scaling["default"] for layer in layers} == {1.5}
    assert {layer.r["default"] for layer in layers} == {4}


@pytest.mark.parametrize("model_type", ["llama4_text", "qwen2_moe"])
def test_routers_are_adapted_where_they_are_named(model_type):
    model = scrambled(adapted(miniature(model_type), targets=["router"]))
    with model.disable_adapter():
        plain = logits(model)
    assert (logits(model) - plain).abs().max() > 1e-4


def test_dropout_on_experts_is_refused_with_the_ways_out():
    model = miniature("mixtral")
    with pytest.raises(BadModel, match=r"no dropout on .*experts.*`dropout: 0`.*`attention`"):
        adapted(model, dropout=0.1)
    assert adapted(model, dropout=0.1, targets="attention")


@pytest.mark.parametrize("model_type", ["gpt2", "mixtral", "deepseek_v3"])
def test_stock_peft_loads_what_was_saved(model_type, tmp_path):
    miniature(model_type).save_pretrained(tmp_path / "base")
    trained = scrambled(adapted(AutoModelForCausalLM.from_pretrained(tmp_path / "base")))
    trained.save_pretrained(tmp_path / "adapter")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    plain = logits(base)
    stock = logits(PeftModel.from_pretrained(base, tmp_path / "adapter"))
    assert (stock - logits(trained)).abs().max() < 1e-5
    assert (stock - plain).abs().max() > 1e-3


def test_an_adapter_is_loaded_where_peft_renames_what_is_right_already(tmp_path):
    miniature("laguna").save_pretrained(tmp_path / "base")
    trained = scrambled(adapted(AutoModelForCausalLM.from_pretrained(tmp_path / "base")))
    trained.save_pretrained(tmp_path / "adapter")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    assert (logits(with_adapter(base, tmp_path / "adapter")) - logits(trained)).abs().max() < 1e-5


def test_an_adapter_that_lacks_weights_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    adapted(miniature("llama")).save_pretrained(tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    save_file({k: v for k, v in load_file(file).items() if "q_proj" not in k}, file)
    with pytest.raises(BadModel, match=r"no weights for 4 of the layers.*q_proj"):
        with_adapter(miniature("llama"), tmp_path)


def test_an_adapter_of_another_size_is_refused(tmp_path):
    adapted(miniature("llama")).save_pretrained(tmp_path)
    with pytest.raises(BadModel, match="cannot be put on this model"):
        with_adapter(miniature("xlstm"), tmp_path)
