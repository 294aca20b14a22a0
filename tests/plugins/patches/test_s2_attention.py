"""S2 attention: what is computed is the paper's pattern, without its leak, on every backend."""

import json
from contextlib import nullcontext

import pytest
import torch
import transformers

from luthier.core import BadModel, check, load, train
from luthier.core.device import device_named
from luthier.core.model.attention import backend_of, composed_attention, require_interface
from luthier.core.model.opening import ModelSpec
from luthier.core.model.sequencewise import SEQUENCEWISE
from luthier.core.problems import BadRunFile
from luthier.core.wiring import Selected, manager_of
from luthier.plugins.patches.s2_attention import S2Attention
from luthier.registry import Entry

SIZES = {
    "vocab_size": 40, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2,
    "pad_token_id": 0,
}  # fmt: skip
CONFIGS = {
    "llama": lambda: transformers.LlamaConfig(**SIZES),
    "two key heads": lambda: transformers.Qwen2Config(**SIZES, num_key_value_heads=2),
    "one key head": lambda: transformers.MistralConfig(**SIZES, num_key_value_heads=1),
    "windows": lambda: transformers.MistralConfig(
        **SIZES, num_key_value_heads=2, sliding_window=5
    ),
    "gpt-neox": lambda: transformers.GPTNeoXConfig(**SIZES),
    "caps": lambda: transformers.Gemma2Config(
        **SIZES, num_key_value_heads=2, head_dim=8, attn_logit_softcapping=0.05
    ),
    "phi": lambda: transformers.PhiConfig(**SIZES),
}  # fmt: skip
LENGTHS = [16, 17, 23]


def selected(plugin):
    return Selected("patches", "s2", plugin, Entry("patches", "s2", "x:y", "a-package", "1.0"))


def attention_of(**options):
    return composed_attention(None, manager_of([selected(S2Attention(**options))]))


def states(length, shared=2, batch=2):
    torch.manual_seed(0)
    return [torch.randn(batch, heads, length, 8) for heads in (4, shared, shared)]


def of_paper(query, key, value, size):
    """The paper's figure 2, for rows of whole groups; what its shift brings round is masked."""
    length = query.shape[2]
    key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
    half = query.shape[1] // 2

    def rolled(x, by):
        return torch.cat([x[:, :half], x[:, half:].roll(by, 2)], 1)

    def grouped(x):
        return x.unflatten(2, (length // size, size)).transpose(1, 2)

    q, k, v = (grouped(rolled(x, -(size // 2))) for x in (query, key, value))
    places = torch.arange(length).repeat(4, 1)[None, :, :, None]
    place = grouped(rolled(places, -(size // 2)))[..., 0]
    # causal by the place in the row: what came round sees nothing that comes after it,
    # and what is left of the row's end does not see what came round either
    near = (place[..., :, None] - place[..., None, :]) < size
    seen = (place[..., :, None] >= place[..., None, :]) & near
    scores = (q @ k.mT * 8**-0.5).masked_fill(~seen, float("-inf"))
    out = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2, 3)
    return rolled(out, size // 2).transpose(1, 2)


def by_mask(query, key, value, size, also=None):
    """The same for rows of any length: who sees whom, written down for all pairs."""
    length = query.shape[2]
    key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
    group = torch.stack(
        [(torch.arange(length) + s) // size for s in (0, 0, (size + 1) // 2, (size + 1) // 2)]
    )
    seen = (group[:, :, None] == group[:, None, :]) & torch.ones(length, length).tril().bool()
    seen = seen if also is None else seen & also
    scores = (query @ key.mT * 8**-0.5).masked_fill(~seen, float("-inf"))
    return (scores.softmax(-1) @ value).transpose(1, 2)


class Module(torch.nn.Module):
    """What attention is called for."""

    is_causal = True

    def __init__(self, shared=2):
        super().__init__()
        self.num_key_value_groups = 4 // shared


def s2(length, size, shared=2, mask=None, **named):
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    attention = S2Attention(tokens=size).wrap_attention(sdpa_attention_forward)
    return attention(Module(shared), *states(length, shared), mask, **named)[0]


@pytest.mark.parametrize("shared", [4, 2, 1])
@pytest.mark.parametrize("size", [2, 4, 8])
def test_what_comes_out_is_the_papers_pattern_without_its_leak(size, shared):
    expected = of_paper(*states(16, shared), size)
    torch.testing.assert_close(s2(16, size, shared), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("size", [2, 5, 6, 15])
def test_rows_of_any_length_are_cut_and_the_last_group_is_what_is_left(length, size):
    torch.testing.assert_close(s2(length, size), by_mask(*states(length), size), atol=1e-5, rtol=0)


def test_a_mask_is_cut_with_the_groups_and_pads_make_no_nan():
    length, size = 19, 4
    real = torch.ones(2, length, dtype=torch.bool)
    real[1, 6:] = False
    mask = (torch.ones(length, length).tril().bool() & real[:, None, :])[:, None]
    found = s2(length, size, mask=mask)
    assert found.isfinite().all()
    expected = by_mask(*states(length), size)
    # pads stand on the right, and nothing before them sees them
    torch.testing.assert_close(found[real], expected[real], atol=1e-5, rtol=0)
    window = torch.ones(length, length).tril().triu(-2).bool()
    found = s2(length, size, mask=window[None, None])
    expected = by_mask(*states(length), size, also=window)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def model_of(name, attention):
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(
        CONFIGS[name](), attn_implementation=attention
    )
    return model.train()


def whole(name):
    """Return the attention that a model of this name has by itself."""
    return "eager" if name == "caps" else "sdpa"


@pytest.mark.parametrize("options", [{"share": 1.0}, {"tokens": 30}], ids=["share", "tokens"])
@pytest.mark.parametrize("name", CONFIGS)
def test_one_group_is_full_attention(name, options):
    ids = torch.arange(2, 25)[None]
    full, own = (model_of(name, a)(ids).logits for a in (whole(name), attention_of(**options)))
    torch.testing.assert_close(own, full, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", CONFIGS)
def test_in_training_every_architecture_of_the_interface_goes_by_groups_and_else_in_full(name):
    model = model_of(name, attention_of(tokens=4))
    assert backend_of(model) == "sdpa"
    ids = torch.arange(2, 25)[None]
    full = model_of(name, whole(name))
    one, other = model(ids).logits, full(ids).logits
    # the first half group sees all that there is before it
    torch.testing.assert_close(one[:, :2], other[:, :2], atol=1e-5, rtol=0)
    assert (one - other).abs().max() > 1e-4
    torch.testing.assert_close(model.eval()(ids).logits, full.eval()(ids).logits)


def test_no_token_sees_a_later_one_and_the_last_is_reached_from_far():
    torch.manual_seed(0)
    model = model_of("llama", attention_of(tokens=4)).requires_grad_(requires_grad=False)
    ids = torch.arange(2, 25)[None]
    logits = model(ids).logits
    changed = ids.clone()
    changed[0, -1] = 39
    torch.testing.assert_close(model(changed).logits[:, :-1], logits[:, :-1])
    changed = ids.clone()
    changed[0, 18] = 39  # by the shifted group of 20 in the first layer, and its own in the second
    assert (model(changed).logits[:, -1] - logits[:, -1]).abs().max() > 0


def test_gradients_reach_all_weights():
    model = model_of("two key heads", attention_of(tokens=4))
    model(torch.arange(2, 25)[None]).logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_what_cannot_be_cut_is_refused():
    for named in ({"cu_seq_lens_q": torch.tensor([0, 8])}, {"s_aux": torch.zeros(4)}):
        with pytest.raises(BadModel, match=r"cannot be cut into groups\. Leave s2-attention out"):
            s2(16, 4, **named)
    with pytest.raises(BadModel, match="attends with object"):
        s2(16, 4, mask=object())


def test_a_model_whose_attention_is_its_own_is_refused_before_it_is_loaded(tmp_path):
    spec = ModelSpec("a-model", tmp_path, family=None, template=None)
    for config in (transformers.BloomConfig(), transformers.FalconConfig()):
        config.save_pretrained(tmp_path)
        require_interface("eager", spec, tmp_path)
        for own in (attention_of(), SEQUENCEWISE):
            with pytest.raises(BadModel, match="ForCausalLM computes attention in code of its own"):
                require_interface(own, spec, tmp_path)


@pytest.mark.parametrize("kind", ["bloom", "falcon", "gpt_oss", "granite_swa"])
def test_check_refuses_the_models_whose_attention_is_known_not_to_be_cut(kind, small_run, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": kind, "architectures": ["X"]}))
    model = {"path": str(folder), "family": "auto"}
    run = small_run(patches=["s2-attention"], model=model, template="chatml")
    with pytest.raises(
        BadRunFile, match=rf"patches\.0: models of the type {kind} compute attention"
    ):
        check(run)


def test_a_run_of_a_model_with_caps_trains_with_it(small_run, tmp_path):
    from luthier.plugins.families.tiny.making import tiny_model

    sizes = {**SIZES, "vocab_size": 2048, "num_key_value_heads": 2, "head_dim": 8}
    model = transformers.AutoModelForCausalLM.from_config(transformers.Gemma2Config(**sizes))
    model.save_pretrained(tmp_path / "model")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "model" / name).write_text((tiny_model() / name).read_text())
    patch = {"name": "s2-attention", "tokens": 8}
    model = {"path": str(tmp_path / "model")}
    folder = train(small_run(model=model, patches=[patch], template="chatml"))
    assert load(folder.path).model.config._attn_implementation == "eager"


H100 = device_named("h100")
PACKED = {"stage": {"name": "sft", "packing": True}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (PACKED, r"s2-attention cannot go with stages/sft: groups go by the place in a pack"),
        ({"patches": ["s2-attention", "padding-free"]}, "would join what lies end to end"),
        ({"patches": ["s2-attention", "flex"]}, "a mask of blocks cannot be cut"),
        ({"patches": ["s2-attention", "eager"]}, "eager attention lies inside each model's own"),
        ({"patches": ["s2-attention"]}, None),
        ({"patches": ["s2-attention", "sdpa"]}, None),
    ],
)
def test_it_goes_with_backends_that_can_be_cut_and_not_with_rows_that_share_one(
    small_run, changes, reason
):
    run = small_run(**{"patches": ["s2-attention"], **changes})
    with pytest.raises(BadRunFile, match=reason) if reason else nullcontext():
        check(run, device=H100)


def test_a_run_trains_with_it_and_its_chat_does_without(small_run):
    folder = train(small_run(patches=[{"name": "s2-attention", "tokens": 8}]))
    assert load(folder.path).model.config._attn_implementation == "sdpa"
