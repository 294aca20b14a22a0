"""RoPE scaling: what is loaded, trained and saved has the frequencies of the formula."""

import json
import math
from pathlib import Path

import pytest
import torch
import transformers
from pydantic import ValidationError
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from luthier.core import BadModel, check, load, train
from luthier.core.model.loading import LoadPlan
from luthier.core.model.opening import ModelSpec
from luthier.core.problems import BadRunFile
from luthier.plugins.patches.rope_scaling import RopeScaling

CONTEXT, DIM, THETA, FACTOR = 64, 8, 10_000.0, 4.0
SIZES = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
    "num_attention_heads": 4, "max_position_embeddings": CONTEXT, "bos_token_id": 1,
    "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
SHORT, LONG = [1.0, 1.5, 2.0, 2.5], [2.0, 3.0, 5.0, 8.0]
LONGROPE = {"short_factors": SHORT, "long_factors": LONG}
KINDS = {"linear": {}, "dynamic": {}, "yarn": {}, "llama3": {}, "longrope": LONGROPE}


def spec_of(max_length):
    return ModelSpec("a-model", Path(), family=None, template=None, max_length=max_length)


@pytest.fixture
def planned(tmp_path):
    """What the plugin makes of a config: the config as it would be loaded, and the plan."""

    def plan_for(config, max_length=CONTEXT, **options):
        config.save_pretrained(tmp_path)
        plugin, plan = RopeScaling(**options), LoadPlan("float32")
        plugin.plan_load(plan=plan, model=spec_of(max_length), location=tmp_path)
        changed = transformers.AutoConfig.from_pretrained(tmp_path)
        for field, value in plan.config.items():
            setattr(changed.get_text_config(), field, value)
        return changed, plan.config

    return plan_for


def llama():
    return transformers.LlamaConfig(**SIZES)


def frequencies(kind, tokens=CONTEXT):
    """Return the frequencies of a kind, and what cos and sin are multiplied by, as published."""
    plain = THETA ** -(torch.arange(0, DIM, 2).float() / DIM)
    scale = 1.0
    if kind == "linear":
        return plain / FACTOR, scale
    if kind == "dynamic":
        base = THETA * (FACTOR * max(tokens, CONTEXT) / CONTEXT - (FACTOR - 1)) ** (DIM / (DIM - 2))
        return base ** -(torch.arange(0, DIM, 2).float() / DIM), scale
    if kind == "yarn":
        rotations = CONTEXT * plain / (2 * math.pi)
        # the ramp of section 3.2 runs over dimensions, from 32 rotations to 1
        low, high = (
            DIM * math.log(CONTEXT / (turns * 2 * math.pi)) / (2 * math.log(THETA))
            for turns in (32, 1)
        )
        low, high = max(math.floor(low), 0), min(math.ceil(high), DIM - 1)
        ramp = ((torch.arange(DIM // 2) - low) / (high - low)).clamp(0, 1)
        assert rotations[0] > 1
        return plain / FACTOR * ramp + plain * (1 - ramp), 0.1 * math.log(FACTOR) + 1
    if kind == "llama3":
        wavelengths = 2 * math.pi / plain
        smooth = (CONTEXT / wavelengths - 1.0) / (4.0 - 1.0)
        between = (1 - smooth) * plain / FACTOR + smooth * plain
        scaled = torch.where(wavelengths > CONTEXT, plain / FACTOR, between)
        return torch.where(wavelengths < CONTEXT / 4, plain, scaled), scale
    divisors = torch.tensor(LONG if tokens > CONTEXT else SHORT)
    return plain / divisors, math.sqrt(1 + math.log(FACTOR) / math.log(CONTEXT))


@pytest.mark.parametrize("tokens", [CONTEXT, 3 * CONTEXT])
@pytest.mark.parametrize("kind", KINDS)
def test_cosines_and_sines_are_those_of_the_formula(planned, kind, tokens):
    config, _ = planned(llama(), kind=kind, factor=FACTOR, **KINDS[kind])
    model = transformers.AutoModelForCausalLM.from_config(config)
    positions = torch.arange(tokens)[None]
    cos, sin = model.model.rotary_emb(torch.zeros(1), positions)
    expected, scale = frequencies(kind, tokens)
    angles = positions[0, :, None] * expected.repeat(2)
    torch.testing.assert_close(cos[0], angles.cos() * scale, atol=1e-5, rtol=0)
    torch.testing.assert_close(sin[0], angles.sin() * scale, atol=1e-5, rtol=0)
    theirs, own_scale = ROPE_INIT_FUNCTIONS[kind](config, seq_len=tokens)
    torch.testing.assert_close(theirs, expected, atol=1e-6, rtol=1e-5)
    assert own_scale == pytest.approx(scale)


@pytest.mark.parametrize("kind", KINDS)
def test_the_context_grows_by_the_factor_but_where_it_says_what_is_long(planned, kind):
    _, changes = planned(llama(), kind=kind, factor=2.5, **KINDS[kind])
    assert changes.get("max_position_embeddings") == (None if kind == "dynamic" else 160)


@pytest.mark.parametrize(("longest", "factor"), [(65, 2.0), (128, 2.0), (129, 3.0), (1000, 16.0)])
def test_the_factor_is_the_longest_row_over_the_context_rounded_up(planned, longest, factor):
    config, _ = planned(llama(), longest)
    assert config.rope_parameters["factor"] == factor
    assert config.max_position_embeddings == CONTEXT * factor


def test_rows_that_fit_the_context_leave_the_model_as_it_is(planned, caplog):
    assert planned(llama(), CONTEXT)[1] == {}
    assert (
        "rows of up to 64 tokens (`encoding.max_length`) fit the context of a-model, 64"
        in caplog.text
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [None, 3.0])
def test_a_model_that_was_trained_so_is_not_scaled_again(planned, kind, factor, caplog):
    trained, _ = planned(llama(), 150, kind=kind, factor=factor, **KINDS[kind])
    assert planned(trained, 150, kind=kind, factor=factor, **KINDS[kind])[1] == {}
    assert not caplog.records


def test_a_model_that_is_scaled_in_another_way_is_refused(planned):
    scaled, _ = planned(llama(), kind="yarn", factor=2.0)
    with pytest.raises(BadModel, match=r"scaled already \(yarn by 2\), up to 128 tokens"):
        planned(scaled, kind="linear", factor=4.0)
    with pytest.raises(BadModel, match="scaled already"):
        planned(scaled, 200, kind="yarn")


OTHERS = {
    "half of the head": (lambda: transformers.PhiConfig(**SIZES), 2),
    "a quarter of the head": (lambda: transformers.GPTNeoXConfig(**SIZES, rotary_pct=0.25), 1),
    "a field of its own": (
        lambda: transformers.Phi3Config(**SIZES, original_max_position_embeddings=CONTEXT), 4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["linear", "yarn"])
@pytest.mark.parametrize("how", OTHERS)
def test_what_else_a_model_says_of_its_positions_stays(planned, how, kind):
    make, count = OTHERS[how]
    config, _ = planned(make(), kind=kind, factor=FACTOR)
    model = transformers.AutoModelForCausalLM.from_config(config)
    (rotary,) = [m for m in model.modules() if hasattr(m, "inv_freq")]
    assert len(rotary.inv_freq) == count
    RopeScaling(kind=kind, factor=FACTOR).patch_model(model=model, phase="built")
    for name in ("rope_theta", "partial_rotary_factor"):
        assert config.rope_parameters.get(name) == make().rope_parameters.get(name)
    if kind == "yarn":
        assert config.rope_parameters["original_max_position_embeddings"] == CONTEXT


def test_of_a_model_with_windows_only_full_attention_is_scaled(planned):
    config, _ = planned(transformers.Gemma3TextConfig(**SIZES, head_dim=DIM), factor=2.0)
    assert config.rope_parameters["full_attention"]["factor"] == 2.0
    assert config.rope_parameters["sliding_attention"]["rope_type"] == "default"


SEEING = {
    "text_config": {
        **SIZES, "vocab_size": 2048, "head_dim": DIM, "num_key_value_heads": 2,
        "num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"],
    },
    "vision_config": {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "image_size": 28, "patch_size": 14,
    },
    "mm_tokens_per_image": 4, "boi_token_index": 3, "eoi_token_index": 4, "image_token_index": 5,
}  # fmt: skip


def test_of_a_model_that_also_sees_the_language_models_positions_are_scaled(planned):
    config, _ = planned(transformers.Gemma3Config(**SEEING), kind="yarn", factor=2.0)
    text = config.text_config
    assert text.rope_parameters["full_attention"]["factor"] == 2.0
    assert text.max_position_embeddings == 2 * CONTEXT
    assert not hasattr(config, "rope_parameters")
    model = transformers.AutoModelForCausalLM.from_config(config)
    assert type(model).__name__ == "Gemma3ForConditionalGeneration"
    RopeScaling(kind="yarn", factor=2.0).patch_model(model=model, phase="built")


def test_a_model_that_also_sees_is_trained_and_saved_with_its_scaling(small_run, tmp_path):
    from luthier.plugins.families.tiny.making import tiny_model

    model = transformers.Gemma3ForConditionalGeneration(transformers.Gemma3Config(**SEEING))
    model.save_pretrained(tmp_path / "seeing")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "seeing" / name).write_text((tiny_model() / name).read_text())
    run = small_run(
        model={"path": str(tmp_path / "seeing")}, template="chatml",
        patches=["rope-scaling"], encoding={"max_length": 200},
        training={"max_steps": 1, "batch_size": 2},
    )  # fmt: skip
    folder = train(run)
    for config in (
        load(folder.path).model.config, transformers.AutoConfig.from_pretrained(folder.model),
    ):  # fmt: skip
        assert config.text_config.rope_parameters["full_attention"]["factor"] == 4.0
        assert config.text_config.max_position_embeddings == 4 * CONTEXT


@pytest.mark.parametrize("kind", ["linear", "dynamic"])
def test_a_factor_that_makes_more_positions_than_can_be_told_apart_is_refused(planned, kind):
    with pytest.raises(ValidationError, match="less than or equal to 16777216"):
        RopeScaling(kind=kind, factor=1e308)
    said = r"would stretch the context of a-model, 64 tokens, to over 16,777,216.*a smaller `factor"
    with pytest.raises(BadModel, match=said):
        planned(llama(), kind=kind, factor=2.0**19)
    with pytest.raises(BadModel, match=said):
        planned(llama(), 2**24 + 1, kind=kind)
    assert planned(llama(), kind=kind, factor=2.0**18)[1]


def test_a_model_whose_code_does_not_scale_is_refused(planned):
    config, _ = planned(llama(), factor=2.0)
    model = transformers.AutoModelForCausalLM.from_config(llama())
    model.config = config
    with pytest.raises(BadModel, match="LlamaForCausalLM does not compute linear RoPE scaling"):
        RopeScaling(factor=2.0).patch_model(model=model, phase="built")


def test_a_model_without_rotary_positions_is_refused_where_it_is_loaded(planned):
    with pytest.raises(BadModel, match="a-model has no rotary positions"):
        planned(transformers.GPT2Config(), 2000)


def test_a_model_without_rotary_positions_is_refused_by_check(tmp_path, small_run):
    transformers.GPT2Config(architectures=["LlamaForCausalLM"]).save_pretrained(tmp_path / "gpt2")
    run = small_run(model=str(tmp_path / "gpt2"), patches=["rope-scaling"])
    with pytest.raises(BadRunFile, match=r"patches\.0: models of the type gpt2 have no rotary"):
        check(run)


def test_longrope_wants_its_factors_and_as_many_as_the_model_has_frequencies(planned):
    with pytest.raises(ValidationError, match="longrope needs `short_factors` and `long_factors`"):
        RopeScaling(kind="longrope", factor=2.0)
    with pytest.raises(ValidationError, match="only longrope takes factors"):
        RopeScaling(kind="yarn", long_factors=LONG)
    with pytest.raises(BadModel, match=r"short_factors of rope-scaling are 3.*has 4 frequencies"):
        planned(llama(), kind="longrope", factor=2.0, short_factors=SHORT[:3], long_factors=LONG)


@pytest.mark.parametrize("tuner", ["full", {"name": "lora", "rank": 2}], ids=["full", "lora"])
def test_a_trained_model_keeps_its_scaling_in_stock_libraries_and_in_a_chat(small_run, tuner):
    run = small_run(
        patches=[{"name": "rope-scaling", "kind": "yarn"}], tuner=tuner,
        encoding={"max_length": 4096}, training={"max_steps": 1, "batch_size": 2},
    )  # fmt: skip
    folder = train(run)
    model = load(folder.path).model
    rope = model.config.rope_parameters
    context = rope["original_max_position_embeddings"]
    assert (rope["rope_type"], rope["factor"]) == ("yarn", math.ceil(4096 / context))
    changed = json.loads(folder.manifest.read_text())["config_changes"]
    assert changed["rope_parameters"] == rope
    assert f'rope_type "yarn", factor {rope["factor"]}, original' in folder.log.read_text()
    if tuner == "full":
        stock = transformers.AutoModelForCausalLM.from_pretrained(folder.model)
        assert stock.config.rope_parameters == rope
        assert stock.config.max_position_embeddings == context * rope["factor"]
        with torch.no_grad():
            found, expected = (m(torch.arange(40)[None]).logits for m in (stock, model))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
