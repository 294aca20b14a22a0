"""Samples of a pack are computed as if each were alone, and no batch says otherwise."""

from contextlib import nullcontext

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.errors import BadModel
from luthier.core.training import PaddingCollator, token_mean_loss
from luthier.core.training.packed import (
    PackedCollator,
    layout_of,
    require_isolated,
    tokens_of,
)

SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
CONFIGS = {
    "llama": lambda: transformers.LlamaConfig(**SIZES, num_key_value_heads=2),
    "qwen2": lambda: transformers.Qwen2Config(**SIZES, num_key_value_heads=2),
    "gpt-neox": lambda: transformers.GPTNeoXConfig(**SIZES),
    # a window shorter than a sample: a mask of our own would lose it
    "mistral": lambda: transformers.MistralConfig(**SIZES, num_key_value_heads=2, sliding_window=4),
}
FLEX = [
    pytest.mark.filterwarnings(f"ignore:{text}")
    for text in (
        "flex_attention called without torch.compile:UserWarning",
        # of transformers' own call, and of what torch imports to answer it
        "_compile flag on create_block_mask:DeprecationWarning",
        "`torch.jit.script_method` is deprecated:DeprecationWarning",
        "`torch.jit.script` is deprecated:DeprecationWarning",
    )
]
BACKENDS = ["eager", "sdpa", pytest.param("flex_attention", marks=FLEX)]
SAMPLES = [[5, 6, 7, 8, 9, 10, 11], [20, 21, 22, 23, 24, 25, 26, 27, 28], [3], [40, 41, 42]]
PACKS = [SAMPLES[:2], SAMPLES[2:]]


def row(ids):
    return {"input_ids": ids, "labels": ids}


def collated(packs, layout="rows"):
    return PackedCollator(0, layout)([[row(ids) for ids in pack] for pack in packs])


def model_of(config, attention):
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(
        config, attn_implementation=attention
    ).eval()


def stance(attention):
    """Run flex attention as it is written: to compile it takes a CPU a minute for each family."""
    flex = attention == "flex_attention"
    return torch.compiler.set_stance("force_eager") if flex else nullcontext()


def logits_of(model, **batch):
    with torch.no_grad():
        return model(**batch).logits


def held_to_unpacked(model):
    packed = logits_of(model, **{k: v for k, v in collated(PACKS).items() if k != "labels"})
    for logits_TV, pack in zip(packed, PACKS, strict=True):
        begin = 0
        for ids in pack:
            alone = logits_of(model, input_ids=torch.tensor([ids]), use_cache=False)[0]
            torch.testing.assert_close(
                logits_TV[begin : begin + len(ids)], alone, atol=1e-4, rtol=0
            )
            begin += len(ids)
    assert packed.isfinite().all(), "a pad that sees nothing would be no number"


@pytest.mark.parametrize("attention", BACKENDS)
@pytest.mark.parametrize("family", CONFIGS)
def test_packed_logits_are_the_unpacked_ones(family, attention):
    with stance(attention):
        held_to_unpacked(model_of(CONFIGS[family](), attention))


@pytest.mark.sweep
@pytest.mark.filterwarnings("default")  # torch warns of parts of its own while it compiles
@pytest.mark.parametrize("family", CONFIGS)
def test_packed_logits_of_compiled_attention_are_the_unpacked_ones(family):
    held_to_unpacked(model_of(CONFIGS[family](), "flex_attention"))


@pytest.mark.parametrize("attention", BACKENDS)
@pytest.mark.parametrize("family", CONFIGS)
def test_a_changed_first_sample_leaves_the_second_untouched(family, attention):
    with stance(attention):
        model = model_of(CONFIGS[family](), attention)
        one, other = (
            logits_of(model, **{k: v for k, v in collated([pack]).items() if k != "labels"})
            for pack in (SAMPLES[:2], [[50, 51, 52, 53, 54, 55, 56], SAMPLES[1]])
        )
        size = len(SAMPLES[0])
        assert torch.equal(one[0, size:], other[0, size:])
        assert not torch.equal(one[0, :size], other[0, :size])
        require_isolated(model, attention)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_loss_and_gradients_of_packs_are_those_of_padded_rows(attention):
    def gradients(batch):
        model = model_of(CONFIGS["llama"](), attention)
        labels = batch.pop("labels")
        loss = token_mean_loss(model(**batch), labels)
        loss.backward()
        return loss, [p.grad for p in model.parameters()]

    packed = gradients(collated(PACKS))
    padded = gradients(PaddingCollator(0)([row(ids) for ids in SAMPLES]))
    torch.testing.assert_close(packed, padded, atol=1e-6, rtol=1e-4)


def test_a_batch_turns_the_cache_off_as_with_one_samples_see_each_other():
    batch = collated([SAMPLES[:2]])
    assert batch.pop("use_cache") is False
    model = model_of(CONFIGS["llama"](), "sdpa")
    alone = logits_of(model, input_ids=torch.tensor([SAMPLES[1]]))[0]
    del batch["labels"]
    assert (logits_of(model, **batch, use_cache=True)[0, len(SAMPLES[0]) :] - alone).abs().max() > (
        1e-2
    ), "transformers has learnt it: the batch need not say `use_cache`"


HEEDLESS = {
    "no positions handed on": lambda: transformers.FalconConfig(**SIZES),
    "attention by distance": lambda: transformers.BloomConfig(**SIZES, n_layer=2, n_head=4),
    "a state": lambda: transformers.MambaConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, bos_token_id=1, eos_token_id=2
    ),
}


@pytest.mark.parametrize("why", HEEDLESS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_a_model_that_mixes_samples_is_refused_and_stays_as_it_was(why, dtype):
    model = model_of(HEEDLESS[why](), "eager").to(dtype).train()
    model.lm_head.eval()
    with pytest.raises(BadModel, match=r"keep packed samples apart.*\n?.*Turn packing off"):
        require_isolated(model, "eager")
    assert model.training
    assert not model.lm_head.training


def test_a_model_that_is_refused_is_named_as_itself_beneath_an_adapter():
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(
        model_of(HEEDLESS["a state"](), "eager"), LoraConfig(target_modules=["in_proj"])
    )
    with pytest.raises(BadModel, match="MambaForCausalLM with the"):
        require_isolated(model, "eager")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_roundings_of_experts_are_no_leak(dtype):
    config = transformers.MixtralConfig(**SIZES, num_key_value_heads=2, num_local_experts=4)
    require_isolated(model_of(config, "sdpa").to(dtype), "sdpa")
    with torch.autocast("cpu", torch.bfloat16):
        require_isolated(model_of(config, "sdpa"), "sdpa")


def test_a_backend_that_nothing_is_known_of_is_refused_by_its_name():
    with pytest.raises(BadModel, match=r"'paged'.*Choose one of: eager, flash"):
        layout_of("paged")


def test_pads_are_labelled_nothing_and_positions_begin_again_with_each_sample():
    batch = collated([[[7, 8], [9]], [[4, 5, 6, 7, 8]], [[1], [2, 3]]])
    assert batch["position_ids"].tolist() == [[0, 1, 0, 2, 2], [0, 1, 2, 3, 4], [0, 0, 1, 1, 1]]
    assert batch["input_ids"].tolist() == [[7, 8, 9, 0, 0], [4, 5, 6, 7, 8], [1, 2, 3, 0, 0]]
    no = -100
    assert batch["labels"].tolist() == [[no, 8, no, no, no], [no, 5, 6, 7, 8], [no, no, 3, no, no]]
    assert "attention_mask" not in batch


def test_flat_batches_have_no_pads_but_the_bounds_of_samples():
    rows = [row(ids) for ids in SAMPLES]
    batch = PackedCollator(0, "flat")([rows[:2], rows[2:]])
    theirs = transformers.DataCollatorWithFlattening(return_flash_attn_kwargs=True)(
        [dict(one) for one in rows], return_tensors="pt"
    )
    assert batch.pop("use_cache") is False
    assert batch.keys() == theirs.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(batch[name], value, msg=name)


def test_flat_batches_reach_a_kernel_of_variable_lengths_and_are_the_unpacked_ones():
    """In place of the kernel of flash attention, which needs a GPU, stands one of torch."""

    def varlen(module, query, key, value, mask, scaling=None, cu_seq_lens_q=None, **kwargs):
        assert mask is None
        assert kwargs["max_length_k"] == max(map(len, SAMPLES))
        sizes = cu_seq_lens_q.diff().tolist()
        parts = zip(*(x.split(sizes, dim=2) for x in (query, key, value)), strict=True)
        attend = torch.nn.functional.scaled_dot_product_attention
        outputs = [
            attend(q, k, v, is_causal=True, scale=scaling, enable_gqa=True) for q, k, v in parts
        ]
        return torch.cat(outputs, dim=2).transpose(1, 2), None

    transformers.AttentionInterface.register("varlen_of_torch", varlen)
    for family in ("llama", "qwen2", "gpt-neox"):
        batch = collated(PACKS, "flat")
        del batch["labels"]
        flat = logits_of(model_of(CONFIGS[family](), "varlen_of_torch"), **batch)[0]
        model = model_of(CONFIGS[family](), "sdpa")
        alone = [logits_of(model, input_ids=torch.tensor([ids]))[0] for ids in SAMPLES]
        torch.testing.assert_close(flat, torch.cat(alone), atol=1e-4, rtol=0)


@given(
    st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=5), min_size=1, max_size=4),
    st.sampled_from(["rows", "flat"]),
)
def test_the_tokens_of_a_batch_are_counted_without_its_pads(sizes, layout):
    packs = [[[9] * size for size in pack] for pack in sizes]
    assert tokens_of(collated(packs, layout)) == sum(map(sum, sizes))


def test_the_tokens_of_a_padded_batch_are_those_of_its_mask():
    assert tokens_of(PaddingCollator(0)([row(ids) for ids in SAMPLES])) == 20
