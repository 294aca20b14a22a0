"""LoRA on layers, and on experts that are one tensor."""

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM, LlamaConfig

from luthier.core import BadModel
from luthier.core.model.adapters import with_adapter
from luthier.core.model.layers import LayerMap
from luthier.core.model.vocabulary import Vocabulary
from luthier.plugins.tuners.lora import Lora
from tests.sweep.miniatures import miniature

OLD = Vocabulary((), (), 0, 0)
SIZES = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1,
    "num_attention_heads": 2, "tie_word_embeddings": False,
}  # fmt: skip


def adapted(model, **options):
    return Lora(**options).attach_adapter(
        model=model, layers=LayerMap.of(model), vocabulary=OLD, adapter=None
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

    adapted(miniature("llama")).save_pretrained(tmp_path, save_embedding_layers=False)
    file = tmp_path / "adapter_model.safetensors"
    save_file({k: v for k, v in load_file(file).items() if "q_proj" not in k}, file)
    with pytest.raises(BadModel, match=r"no weights for 4 of the layers.*q_proj"):
        with_adapter(miniature("llama"), tmp_path)


def test_an_adapter_of_another_size_is_refused(tmp_path):
    adapted(miniature("llama")).save_pretrained(tmp_path, save_embedding_layers=False)
    with pytest.raises(BadModel, match="cannot be put on this model"):
        with_adapter(miniature("xlstm"), tmp_path)


def test_the_scale_of_rslora_is_alpha_over_the_root_of_the_rank():
    model = adapted(miniature("llama"), rank=16, alpha=6, rslora=True)
    scales = {one.scaling["default"] for one in model.modules() if isinstance(one, LoraLayer)}
    assert scales == {6 / 16**0.5}


def ranks(model):
    return {
        name.removeprefix("base_model.model."): (layer.r["default"], layer.scaling["default"])
        for name, layer in model.named_modules()
        if isinstance(layer, LoraLayer)
    }


def test_ranks_and_alphas_are_given_by_types_names_and_expressions():
    model = adapted(
        miniature("llama"), rank=4, rank_pattern={"mlp": 2, "down_proj": 6},
        alpha_pattern={r".*0\.self_attn.*": 2.0},
    )  # fmt: skip
    found = ranks(model)
    assert found["model.layers.0.mlp.up_proj"] == (2, 2.0)
    assert found["model.layers.1.mlp.down_proj"] == (6, 2.0)
    assert found["model.layers.0.self_attn.q_proj"] == (4, 0.5)
    assert found["model.layers.1.self_attn.q_proj"] == (4, 2.0)
    with pytest.raises(BadModel, match="'q_prj' matches no layer"):
        adapted(miniature("llama"), rank_pattern={"q_prj": 2})


def test_a_rank_for_a_layer_that_is_no_target_is_refused_with_the_targets():
    said = (
        r"'mlp' matches model\.layers\.0\.mlp\.\w+, which is none.*k_proj, o_proj, q_proj, v_proj"
    )
    with pytest.raises(BadModel, match=said):
        adapted(miniature("llama"), targets="attention", rank_pattern={"mlp": 8})


def test_the_rank_of_stacked_experts_is_given_as_that_of_others():
    found = ranks(adapted(miniature("mixtral"), rank=4, rank_pattern={"experts": 2}))
    assert {rank for name, (rank, _) in found.items() if "experts" in name} == {2}
    assert {rank for name, (rank, _) in found.items() if "self_attn" in name} == {4}


def test_layers_are_chosen_by_their_numbers():
    names = adapted_layers(adapted(miniature("llama"), layers=[-1], targets="attention"))
    assert {name.split(".")[2] for name in names} == {"1"}
    with pytest.raises(BadModel, match=r"no decoder layer 7: the model has 2\. Give .* -2 to 1"):
        adapted(miniature("llama"), layers=[7])


def test_a_module_that_is_trained_in_full_is_saved_and_a_tied_head_goes_with_the_embedding(
    tmp_path,
):
    config = miniature("llama").config
    config.tie_word_embeddings = True
    base = AutoModelForCausalLM.from_config(config)
    assert base.lm_head.weight is base.model.embed_tokens.weight
    base.save_pretrained(tmp_path / "base")
    trained = adapted(AutoModelForCausalLM.from_pretrained(tmp_path / "base"), full=["embedding"])
    with torch.no_grad():
        for name, parameter in trained.named_parameters():
            if parameter.requires_grad and "modules_to_save" in name:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    trained.save_pretrained(tmp_path / "adapter")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    again = with_adapter(base, tmp_path / "adapter")
    assert (logits(again) - logits(trained)).abs().max() < 1e-5
    again.merge_and_unload().save_pretrained(tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert (logits(merged) - logits(trained)).abs().max() < 1e-5


@pytest.mark.parametrize(
    "options",
    [
        {"init": "pissa", "init_iterations": 0, "rank_pattern": {"mlp": 2}},
        {"init": "pissa"},
        {"init": "olora", "rslora": True, "alpha_pattern": {"mlp": 3}},
    ],
    ids=["exact pissa", "fast pissa", "olora"],
)
def test_what_began_as_a_part_of_the_weights_becomes_a_plain_lora_on_the_model_as_it_was(
    options, tmp_path
):
    # gpt2 holds its weights transposed, which PEFT's olora cannot do with
    miniature("llama" if options["init"] == "olora" else "gpt2").save_pretrained(tmp_path / "base")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    plain = logits(model)
    tuner = Lora(rank=4, **options)
    trained = tuner.attach_adapter(
        model=model, layers=LayerMap.of(model), vocabulary=OLD, adapter=None
    )
    undo = tuner.patch_model(model=trained, phase="adapted")
    assert (logits(trained) - plain).abs().max() < 1e-5
    with torch.no_grad():
        for parameter in trained.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter), alpha=0.02)
    expected = logits(trained)
    assert (expected - plain).abs().max() > 1e-3
    undo()
    assert (logits(trained) - expected).abs().max() < 1e-5
    trained.save_pretrained(tmp_path / "adapter")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    stock = PeftModel.from_pretrained(base, tmp_path / "adapter")
    assert (logits(stock) - expected).abs().max() < 1e-5
    config = stock.peft_config["default"]
    assert (config.init_lora_weights, config.r) == (True, 8)


def test_a_beginning_that_the_weights_do_not_allow_is_refused_with_the_way_out():
    with pytest.raises(BadModel, match=r"lies the other way. Choose `init: pissa`"):
        adapted(miniature("gpt2"), init="olora")
    with pytest.raises(BadModel, match=r"as all experts, by a plain LoRA.*`attention`"):
        adapted(miniature("mixtral"), init="pissa")


@pytest.mark.parametrize("init", ["pissa", "olora", "loftq"])
def test_a_weight_that_looks_tokens_up_is_not_decomposed(init):
    model = AutoModelForCausalLM.from_config(LlamaConfig(**SIZES))
    tuner = Lora(init=init, targets=["embedding", "q_proj"])
    with pytest.raises(BadModel, match=r"embed_tokens is none. Leave it out of `targets`"):
        tuner.check_layers(model=model, layers=LayerMap.of(model), vocabulary=OLD)


def test_loftq_makes_good_for_what_four_bits_took(small_run):
    pytest.importorskip("bitsandbytes", reason='needs pip install "luthier[bnb]"')
    from luthier.core.model.opening import locate, model_spec, open_model
    from luthier.core.run.program import settled

    def answers(**changes):
        run = settled(small_run(**changes))
        opened = open_model(locate(model_spec(run, training=True)), training=True)
        return logits(opened.model)

    tuner = {"name": "lora", "rank": 32}
    whole, held = answers(tuner=tuner), answers(tuner=tuner, quantizer="bnb")
    fitted = answers(tuner={**tuner, "init": "loftq"}, quantizer="bnb")
    assert (fitted - whole).norm() < 0.9 * (held - whole).norm()


@pytest.mark.parametrize("target", ["head", "embed_tokens"])
def test_a_weight_that_head_and_embedding_share_has_no_matrices_beside_it(target):
    """Merged, they would change both: the model would answer otherwise than with its adapter."""
    config = LlamaConfig(**{**SIZES, "tie_word_embeddings": True})
    model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(BadModel, match=r"head and embedding are one weight.*train it in `full`"):
        adapted(model, targets=[target, "q_proj"])
    apart = AutoModelForCausalLM.from_config(LlamaConfig(**SIZES))
    before = scrambled(adapted(apart, targets=[target, "q_proj"]))
    expected = logits(before)
    torch.testing.assert_close(logits(before.merge_and_unload()), expected, atol=1e-5, rtol=0)


def test_beside_a_head_whose_new_rows_are_trained_nothing_else_is():
    model = AutoModelForCausalLM.from_config(LlamaConfig(**SIZES))
    new = Vocabulary(("<new>",), (63,), 0, 0)
    with pytest.raises(BadModel, match=r"the rows of new tokens in lm_head are trained already"):
        Lora(targets=("head", "q_proj")).attach_adapter(
            model=model, layers=LayerMap.of(model), vocabulary=new, adapter=None
        )
