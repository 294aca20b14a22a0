"""Value heads on models of many kinds: whole, adapted, quantized, padded on either side, saved."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from luthier.core import BadModel
from luthier.core.model.layers import LayerMap
from luthier.core.model.opening import OpenModel
from luthier.core.model.saving import save_model
from luthier.core.model.value_head import (
    FILE,
    ValuedModel,
    ValueHead,
    last_values,
    load_value_heads,
    new_value_head,
    save_value_heads,
)
from luthier.core.model.vocabulary import Vocabulary
from luthier.plugins.families.tiny.making import tiny_model
from tests.sweep.miniatures import miniature

IDS = torch.arange(5, 21).reshape(2, 8)
# absolute, rotary and no positions; states; soft caps; several places for the inner model
SAMPLE = [
    "llama", "gpt2", "opt", "bloom", "falcon", "gemma2", "cohere", "mamba", "mixtral", "llama4",
    "modernbert-decoder", "minicpm3", "qwen3", "gpt_neox", "phi3",
]  # fmt: skip


@pytest.fixture
def tiny():
    return AutoModelForCausalLM.from_pretrained(tiny_model(), dtype=torch.float32).eval()


def adapted(model, **settings):
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False, **settings)
    return get_peft_model(model, config)


def valued(model, *names):
    return ValuedModel(model, {name: new_value_head(model) for name in names or ("value",)})


# --- the head ------------------------------------------------------------------------------------


def test_a_new_head_has_the_spread_of_its_sources_and_no_bias():
    torch.manual_seed(0)
    head = ValueHead(40_000)
    assert head.weight.std().item() == pytest.approx(40_001**-0.5, rel=0.02)
    assert head.weight.mean().abs() < 1e-4
    assert head.bias.item() == 0
    # of a representation of unit spread the value is about one
    values = ValueHead(4_000)(torch.randn(1, 500, 4_000))
    assert values.std().item() == pytest.approx(1, rel=0.15)


def test_values_are_computed_in_float32_whatever_the_model_is_in(tiny):
    model = valued(tiny.bfloat16())
    head = model.heads["value"]
    assert head.weight.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        found = model(IDS, head="value").values
        hidden = tiny.model(IDS).last_hidden_state
    assert found.dtype == torch.float32
    expected = hidden.float() @ head.weight[0] + head.bias
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


# --- on models -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model_type", SAMPLE)
def test_each_architecture_gives_values_alone_or_with_its_logits(model_type):
    plain = miniature(model_type).eval()
    model = valued(plain)
    with torch.no_grad():
        expected = plain(input_ids=IDS).logits
        alone, both = (model(IDS, head="value", logits=wanted) for wanted in (False, True))
    assert alone.values.shape == (2, 8)
    assert alone.logits is None
    torch.testing.assert_close(alone.values, both.values, rtol=0, atol=1e-5)
    torch.testing.assert_close(both.logits, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(plain(input_ids=IDS).logits, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("model_type", SAMPLE)
def test_the_value_of_a_row_is_the_same_with_pads_on_the_left_and_on_the_right(model_type):
    model = valued(miniature(model_type).eval())
    row, pads = list(range(5, 10)), [0] * 3
    ids = torch.tensor([[*pads, *row], [*row, *pads], list(range(9, 17))])
    places = torch.arange(8)
    mask = torch.stack([places >= 3, places < 5, places >= 0]).long()
    with torch.no_grad():
        values = last_values(model(ids, mask, head="value").values, mask)
        alone = model(torch.tensor([row]), head="value").values[:, -1]
    torch.testing.assert_close(values[:2], alone.expand(2), rtol=0, atol=1e-4)
    assert (values[2] - alone).abs() > 1e-4


def test_without_logits_the_output_embedding_computes_one_token_of_each_row(tiny):
    seen = []
    tiny.lm_head.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    model = valued(tiny)
    seen.clear()
    model(IDS, head="value")
    model(IDS, head="value", logits=True)
    assert [shape[:2] for shape in seen] == [(2, 1), (2, 8)]


def test_two_heads_and_two_adapters_share_one_model_and_leave_each_other_alone(tiny):
    model = adapted(tiny)
    torch.manual_seed(1)
    model.add_adapter("reward", model.peft_config["default"])
    both = valued(model, "reward", "value").train()
    found = {}
    for name, adapter in (("reward", "reward"), ("value", "default")):
        model.set_adapter(adapter)
        found[name] = both(IDS, head=name).values
        both.zero_grad()
        found[name].sum().backward()
        touched = {n for n, p in both.named_parameters() if p.grad is not None and p.grad.any()}
        assert {n for n in touched if "heads" in n} == {
            f"heads.{name}.weight", f"heads.{name}.bias"
        }  # fmt: skip
        others = [n for n in touched if "heads" not in n]
        assert others
        assert all(f".{adapter}." in n for n in others)
    assert not torch.allclose(found["reward"], found["value"])


@pytest.mark.parametrize("name", ["llama", "bloom", "gpt_neox"])
def test_learning_values_reaches_head_and_adapter(name, tiny):
    from peft import LoraConfig, get_peft_model

    base = tiny if name == "llama" else miniature(name)
    config = LoraConfig(target_modules="all-linear")
    model = valued(get_peft_model(base, config)).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    mask = torch.ones_like(IDS)
    losses = []
    for _ in range(20):
        values = last_values(model(IDS, mask, head="value").values, mask)
        loss = (values - torch.tensor([1.0, -1.0])).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0] + 1e-3
    assert all(p.grad is not None for p in trained if p.ndim == 2)


def test_a_head_stands_on_a_model_of_four_bits_with_an_adapter():
    pytest.importorskip("bitsandbytes", reason='needs pip install "luthier[bnb]"')
    from transformers import BitsAndBytesConfig

    from luthier.plugins.quantizers.bnb import SWITCH

    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32)
    base = AutoModelForCausalLM.from_pretrained(
        tiny_model(), dtype=torch.float32, quantization_config=config
    )
    for layer in base.modules():
        if hasattr(layer, SWITCH):
            setattr(layer, SWITCH, False)
    model = valued(adapted(base)).train()
    model(IDS, head="value").values.sum().backward()
    grads = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
    assert {n for n in grads if n.startswith("heads")} == {
        "heads.value.weight", "heads.value.bias"
    }  # fmt: skip
    assert all(grad.abs().sum() > 0 for grad in grads.values())


def test_tokens_that_a_tuner_of_prompts_adds_have_no_values(tiny):
    from peft import PromptTuningConfig, get_peft_model

    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    model = valued(get_peft_model(tiny, config))
    assert model(IDS, head="value").values.shape == (2, 8)


def test_a_head_of_another_size_than_the_model_is_refused(tiny):
    with pytest.raises(BadModel, match=r"'reward' reads 64 numbers of a token, and LlamaFor.*128"):
        ValuedModel(tiny, {"reward": ValueHead(64)})


def test_a_model_that_hands_its_tokens_on_before_its_rows_is_refused(tiny):
    tiny.model.register_forward_hook(
        lambda module, inputs, output: setattr(
            output, "last_hidden_state", output.last_hidden_state.transpose(0, 1)
        )
    )
    with pytest.raises(BadModel, match="does not hand each token's representation"):
        new_value_head(tiny)


def test_a_row_of_pads_alone_has_no_last_value():
    mask = torch.tensor([[1, 1, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match="row 1 of the batch has no token"):
        last_values(torch.zeros(2, 3), mask)


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["adapter", "whole"])
def test_heads_are_saved_beside_the_model_and_opened_as_they_were(tiny, tmp_path, kind):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model())
    model = valued(adapted(tiny) if kind == "adapter" else tiny, "reward", "value")
    rows = len(tokenizer)
    opened = OpenModel(
        model.model, tokenizer, None, LayerMap.of(tiny), Vocabulary((), (), rows, rows),
        value_heads=dict(model.heads),
    )  # fmt: skip
    save_model(opened, tmp_path / "model")
    found = load_value_heads(tmp_path / "model")
    assert found.keys() == {"reward", "value"}
    base = AutoModelForCausalLM.from_pretrained(
        tmp_path / "model" if kind == "whole" else tiny_model(), dtype=torch.float32
    )
    if kind == "adapter":
        from peft import PeftModel

        base = PeftModel.from_pretrained(base, tmp_path / "model")
    again = ValuedModel(base.eval(), found)
    for name in found:
        with torch.no_grad():
            expected, values = (one(IDS, head=name).values for one in (model.eval(), again))
        assert torch.equal(values, expected)


def test_a_model_without_heads_is_saved_without_their_file(tiny, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model())
    vocabulary = Vocabulary((), (), len(tokenizer), len(tokenizer))
    save_model(OpenModel(tiny, tokenizer, None, LayerMap.of(tiny), vocabulary), tmp_path / "model")
    assert not (tmp_path / "model" / FILE).exists()
    with pytest.raises(BadModel, match=f"there is no {FILE} in it"):
        load_value_heads(tmp_path / "model")


class Payload:
    """Writes a file where it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (self.marker, "w"))


def test_a_pickle_in_the_place_of_a_head_is_never_read(tmp_path):
    marker = tmp_path / "marker"
    for name in ("value_head.bin", FILE):
        torch.save({"value.weight": Payload(str(marker))}, tmp_path / name)
        with pytest.raises(BadModel, match=r"Name the folder of a model that was trained with"):
            load_value_heads(tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reward.weight": torch.zeros(2, 8)}, r"reward.weight is float32 of shape \(2, 8\)"),
        ({"reward.weight": torch.zeros(8)}, r"reward.weight is float32 of shape \(8,\)"),
        ({"reward.weight": torch.zeros(())}, r"reward.weight is float32 of shape \(\)"),
        ({"reward.bias": torch.zeros(1).half()}, r"reward.bias is float16 of shape \(1,\)"),
        ({"reward.bias": torch.zeros(3)}, r"reward.bias is float32 of shape \(3,\)"),
        ({"reward.bias": None}, "holds reward.weight, and a head is NAME.weight and NAME.bias"),
        ({"summary": torch.zeros(1)}, "and a head is NAME.weight and NAME.bias"),
    ],
)
def test_a_file_that_is_no_head_is_refused_with_what_is_wrong(tmp_path, change, said):
    save_value_heads({"reward": ValueHead(8)}, tmp_path)
    tensors = {**load_file(tmp_path / FILE), **change}
    save_file({name: one for name, one in tensors.items() if one is not None}, tmp_path / FILE)
    with pytest.raises(BadModel, match=said):
        load_value_heads(tmp_path)


def test_a_damaged_file_of_heads_is_named(tmp_path):
    (tmp_path / FILE).write_text(json.dumps({}))
    with pytest.raises(BadModel, match=f"{FILE} cannot be read"):
        load_value_heads(tmp_path)
