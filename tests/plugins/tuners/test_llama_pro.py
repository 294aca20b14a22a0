"""LLaMA Pro: new layers that change nothing, in a model that transformers builds by itself."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from luthier.core import BadModel
from luthier.plugins.tuners.blocks import blocks_of
from luthier.plugins.tuners.expansion import expand
from luthier.plugins.tuners.llama_pro import LlamaPro
from tests.sweep.miniatures import miniature


def logits(model):
    with torch.no_grad():
        return model.eval()(input_ids=torch.arange(3, 20)[None]).logits


@pytest.mark.parametrize(
    "model_type", ["llama", "gpt2", "gpt_neox", "gemma2", "qwen3", "mixtral", "olmo2", "mamba"]
)
def test_the_model_answers_as_before_and_is_loaded_with_its_new_layers(model_type, tmp_path):
    model = miniature(model_type)
    before, count = logits(model), model.config.num_hidden_layers
    expand(model, blocks_of(model), 1, {})
    assert logits(model).equal(before)
    model.save_pretrained(tmp_path)
    found = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert found.config.num_hidden_layers == count + 1
    assert (logits(found) - before).abs().max() < 1e-5


def test_the_new_layers_are_learned_from_the_first_step_and_no_others_are():
    model = miniature("llama")
    expand(model, blocks_of(model), 2, {})
    LlamaPro(blocks=2).attach_adapter(model=model)
    model(input_ids=torch.arange(9)[None], labels=torch.arange(9)[None]).loss.backward()
    moved = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert {name.split(".")[2] for name in moved} == {"1", "3"}
    assert {name.rpartition(".layers.1.")[2] for name in moved if ".1." in name} == {
        "self_attn.o_proj.weight", "mlp.down_proj.weight",
    }  # fmt: skip


def test_a_cache_of_keys_and_values_tells_the_new_layers_apart():
    model = miniature("llama")
    expand(model, blocks_of(model), 2, {})
    assert [layer.self_attn.layer_idx for layer in model.model.layers] == [0, 1, 2, 3]
    ids = torch.arange(3, 9)[None]
    whole = model.generate(ids, max_new_tokens=4, do_sample=False, use_cache=False)
    assert model.generate(ids, max_new_tokens=4, do_sample=False).equal(whole)


def test_a_number_that_does_not_divide_is_refused_with_those_that_do():
    with pytest.raises(BadModel, match=r"3 new layers.*among 2. Give one of 1, 2\."):
        LlamaPro(blocks=3).check_layers(miniature("llama"))


def test_layers_of_a_kind_that_its_place_decides_are_refused():
    # two layers without experts and two with, of which the third would be built without
    config = miniature("deepseek_v3").config
    config.num_hidden_layers, config.first_k_dense_replace = 4, 2
    config.mlp_layer_types = None
    model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(BadModel, match="its layers are not alike"):
        expand(model, blocks_of(model), 4, {})
