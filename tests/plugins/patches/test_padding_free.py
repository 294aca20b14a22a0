"""Padding-free batches give the logits and gradients of padded ones, and compute no pad."""

import copy
import json

import pytest
import torch
import transformers

from luthier.core import BadModel, check, load, train
from luthier.core.device import device_named
from luthier.core.model import sequencewise
from luthier.core.model.attention import SELECTIVE, require_interface
from luthier.core.model.opening import ModelSpec
from luthier.core.model.sequencewise import SEQUENCEWISE, register
from luthier.core.problems import BadRunFile
from luthier.core.training import (
    PackedCollator,
    PaddingCollator,
    require_isolated,
    token_mean_loss,
)
from luthier.plugins.patches.padding_free import ADDS_TO_ATTENTION, READS_MASK, PaddingFree
from tests.sweep.architectures import DECODERS
from tests.sweep.miniatures import miniature

SIZES = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2,
    "pad_token_id": 0,
}  # fmt: skip
SHARED = {**SIZES, "num_key_value_heads": 2}
EXPERTS = {"num_experts_per_tok": 2}
# of these lengths two are equal, and most are longer than the windows
LENGTHS = (7, 11, 1, 7, 16)
WINDOW = 5


def windows(name, **settings):
    """One layer of windows, one of full attention."""
    kinds = ["sliding_attention", "full_attention"]
    return getattr(transformers, name)(
        **{**SHARED, "sliding_window": WINDOW, "layer_types": kinds, **settings}
    )


def shared(name, **settings):
    return lambda: getattr(transformers, name)(**{**SHARED, **settings})


CONFIGS = {
    "llama": shared("LlamaConfig"),
    "mistral, windows": shared("MistralConfig", sliding_window=WINDOW),
    "mixtral": shared("MixtralConfig", num_local_experts=4, **EXPERTS),
    "qwen2": shared("Qwen2Config"),
    "qwen2, windows": lambda: windows("Qwen2Config", use_sliding_window=True),
    "qwen2_moe": shared(
        "Qwen2MoeConfig", num_experts=4, moe_intermediate_size=24,
        shared_expert_intermediate_size=24, **EXPERTS,
    ),
    "qwen3": shared("Qwen3Config", head_dim=8),
    "qwen3_moe": shared(
        "Qwen3MoeConfig", num_experts=4, moe_intermediate_size=24, head_dim=8, **EXPERTS
    ),
    "gemma": shared("GemmaConfig", head_dim=8),
    "gemma2, windows and a cap": lambda: windows("Gemma2Config", head_dim=8),
    "gemma3, windows": lambda: windows("Gemma3TextConfig", head_dim=8),
    "phi": shared("PhiConfig"),
    "phi3, windows": shared(
        "Phi3Config", sliding_window=WINDOW, original_max_position_embeddings=64
    ),
    "olmo": shared("OlmoConfig"),
    "olmo2": shared("Olmo2Config"),
    "olmo3, windows": lambda: windows("Olmo3Config"),
    "olmoe": shared("OlmoeConfig", num_experts=4, **EXPERTS),
    "cohere": shared("CohereConfig"),
    "cohere2, windows": lambda: windows("Cohere2Config"),
    "starcoder2, windows": shared("Starcoder2Config", sliding_window=WINDOW),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(**SIZES),
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=1,
        eos_token_id=2,
    ),
    "stablelm": shared("StableLmConfig"),
    "granite": shared("GraniteConfig"),
    "smollm3": shared("SmolLM3Config"),
    "glm": shared("GlmConfig", head_dim=8),
    "glm4": shared("Glm4Config", head_dim=8),
    "exaone4, windows": lambda: windows("Exaone4Config"),
    "deepseek_v3": shared(
        "DeepseekV3Config", num_key_value_heads=4, n_routed_experts=4, n_group=1, topk_group=1,
        first_k_dense_replace=1, moe_intermediate_size=24, kv_lora_rank=16, q_lora_rank=16,
        qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=4, **EXPERTS,
    ),
    "llama4, chunks": shared(
        "Llama4TextConfig", attention_chunk_size=WINDOW, num_local_experts=4, head_dim=8,
        intermediate_size_mlp=48, num_experts_per_tok=1,
        layer_types=["chunked_attention", "full_attention"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def registered():
    register()


def rows():
    made = torch.Generator().manual_seed(1)
    ids = [torch.randint(3, 64, (n,), generator=made).tolist() for n in LENGTHS]
    return [{"input_ids": one, "labels": one} for one in ids]


def pair(config):
    """The same model twice: with a backend of transformers, and with ours."""
    torch.manual_seed(0)
    plain = transformers.AutoModelForCausalLM.from_config(copy.deepcopy(config))
    own = transformers.AutoModelForCausalLM.from_config(config, attn_implementation=SEQUENCEWISE)
    own.load_state_dict(plain.state_dict())
    return plain.eval(), own.eval()


def learnt(model, batch):
    """Return logits, and the gradients of the loss."""
    labels = batch.pop("labels")
    outputs = model(**batch, use_cache=False) if "use_cache" not in batch else model(**batch)
    token_mean_loss(outputs, labels).backward()
    # of experts that nothing was sent to there is none
    return outputs.logits.detach(), {
        n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in model.named_parameters()
    }


@pytest.mark.parametrize("name", CONFIGS)
def test_logits_and_gradients_are_those_of_padded_rows(name):
    plain, own = pair(CONFIGS[name]())
    require_isolated(own, SEQUENCEWISE)
    padded, expected = learnt(plain, PaddingCollator(0)(rows()))
    flat, found = learnt(own, PackedCollator(0, "line")(rows()))
    unpadded = torch.cat([logits[:n] for logits, n in zip(padded, LENGTHS, strict=True)])
    torch.testing.assert_close(flat[0], unpadded, atol=1e-5, rtol=0)
    assert expected.keys() == found.keys()
    for parameter, gradient in expected.items():
        torch.testing.assert_close(found[parameter], gradient, atol=1e-5, rtol=0, msg=parameter)


def test_there_are_twenty_architectures_and_several_with_windows():
    families = {name.partition(",")[0] for name in CONFIGS}
    assert len(families) >= 20
    assert sum("windows" in name for name in CONFIGS) >= 6


def test_only_stretches_reach_sdpa_and_those_of_one_length_together(monkeypatch):
    from transformers.integrations import sdpa_attention

    seen = []
    original = sdpa_attention.sdpa_attention_forward

    def watching(module, query, *rest, **named):
        seen.append((query.shape[0], query.shape[2], rest[2] is not None))
        return original(module, query, *rest, **named)

    monkeypatch.setattr(sdpa_attention, "sdpa_attention_forward", watching)
    _, own = pair(CONFIGS["mistral, windows"]())
    learnt(own, PackedCollator(0, "line")(rows()))
    # a window is a mask only where a stretch is longer than it
    assert seen == 2 * [(2, 7, True), (1, 11, True), (1, 1, False), (1, 16, True)]


def test_no_mask_of_all_pairs_is_made_for_a_row_of_several_sequences(monkeypatch):
    from transformers import masking_utils

    made = []
    original = masking_utils.sdpa_mask
    monkeypatch.setattr(
        masking_utils, "sdpa_mask", lambda *a, **k: made.append(a) or original(*a, **k)
    )
    _, own = pair(CONFIGS["llama"]())
    own(**{k: v for k, v in PackedCollator(0, "line")(rows()).items() if k != "labels"})
    assert made == []


@pytest.mark.parametrize("name", ["llama", "mistral, windows", "gemma2, windows and a cap"])
def test_packs_and_rows_give_the_same(name):
    _, own = pair(CONFIGS[name]())
    one, other = (
        learnt(own.requires_grad_(requires_grad=True), PackedCollator(0, "line")(items))[0]
        for items in (rows(), [rows()[:2], rows()[2:]])
    )
    assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["llama", "gemma2, windows and a cap"])
def test_padded_rows_and_generation_go_through_it_as_through_sdpa(name):
    plain, own = pair(CONFIGS[name]())
    batch = PaddingCollator(0)(rows())
    ids, mask = batch["input_ids"], batch["attention_mask"]
    with torch.no_grad():
        one, other = (m(input_ids=ids, attention_mask=mask).logits for m in (plain, own))
        torch.testing.assert_close(one[mask.bool()], other[mask.bool()], atol=1e-5, rtol=0)
        said = [m.generate(ids[1:2, :9], max_new_tokens=5, do_sample=False) for m in (plain, own)]
    assert torch.equal(*said)


def test_half_precision_and_dropout_pass_through():
    _, own = pair(transformers.LlamaConfig(**SHARED, attention_dropout=0.5))
    batch = {k: v for k, v in PackedCollator(0, "line")(rows()).items() if k != "labels"}
    own.train()
    assert not torch.equal(own(**batch).logits, own(**batch).logits)
    assert own.eval().bfloat16()(**batch).logits.isfinite().all()


@pytest.mark.parametrize("form", [None, torch.bool, torch.float32], ids=str)
def test_a_cap_beside_a_cache_is_that_of_eager_attention(form):
    from transformers.models.gemma2.modeling_gemma2 import eager_attention_forward

    torch.manual_seed(0)
    module = torch.nn.Module().eval()
    module.num_key_value_groups = 2
    query, key, value = (torch.randn(1, heads, n, 8) for heads, n in ((4, 2), (2, 5), (2, 5)))
    seen = torch.ones(2, 5, dtype=torch.bool).tril(3)[None, None]
    added = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
    mask = {None: None, torch.bool: seen, torch.float32: added}[form]
    named = {"scaling": 8**-0.5, "softcap": 2.0}
    ours, _ = sequencewise.sequencewise_attention(module, query, key, value, mask, **named)
    theirs, _ = eager_attention_forward(module, query, key, value, added, **named)
    torch.testing.assert_close(ours, theirs)


# --- what cannot -------------------------------------------------------------------------------


HEEDLESS = {
    "a state": lambda: transformers.MambaConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, bos_token_id=1, eos_token_id=2
    ),
    "a state beside attention": lambda: transformers.FalconH1Config(
        **SHARED, mamba_d_ssm=32, mamba_n_heads=4, mamba_d_head=8, mamba_d_state=8
    ),
    "bias by distance": lambda: transformers.BloomConfig(
        vocab_size=64, hidden_size=32, n_layer=2, n_head=4
    ),
    "positions not handed on": lambda: transformers.OPTConfig(
        vocab_size=64, hidden_size=32, ffn_dim=32, num_hidden_layers=2, num_attention_heads=4,
        word_embed_proj_dim=32,
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", HEEDLESS)
def test_a_model_that_mixes_sequences_is_refused_by_the_trial(why):
    model = transformers.AutoModelForCausalLM.from_config(HEEDLESS[why]())
    with pytest.raises(BadModel, match="does not keep packed samples apart"):
        require_isolated(model, SEQUENCEWISE)


def test_a_model_whose_own_code_reads_the_mask_is_refused():
    mask = sequencewise.Stretches([0, 2], 5, lambda start, length: None)
    for read in (lambda: mask[:, 0], lambda: torch.zeros(1) + mask, lambda: mask.dtype):
        with pytest.raises(BadModel, match="the model's own code reads the attention mask"):
            read()


def test_what_sdpa_cannot_add_to_attention_is_refused():
    states = [torch.zeros(1, 1, 2, 4)] * 3
    for name in ("s_aux", "position_bias"):
        with pytest.raises(BadModel, match=f"adds `{name}` to its attention"):
            sequencewise.sequencewise_attention(torch.nn.Module(), *states, None, **{name: 1})


@pytest.mark.parametrize("why", HEEDLESS)
def test_check_refuses_what_a_config_tells(tmp_path, small_run, why):
    config = HEEDLESS[why]()
    config.architectures = ["LlamaForCausalLM"]  # of a family that there is
    config.save_pretrained(tmp_path / "model")
    run = small_run(model=str(tmp_path / "model"), patches=["padding-free"])
    with pytest.raises(BadRunFile, match=rf"patches\.0: in models of the type {config.model_type}"):
        check(run)


REFUSED = sorted((READS_MASK | ADDS_TO_ATTENTION) & set(DECODERS))


@pytest.mark.parametrize("kind", sorted(READS_MASK | ADDS_TO_ATTENTION))
def test_check_tells_of_the_models_whose_attention_cannot_go_by_sequences(kind):
    for config in ({"model_type": kind}, {"model_type": "x", "text_config": {"model_type": kind}}):
        (finding,) = PaddingFree().check_model(config=config)
        assert finding.remedy.startswith("Leave it out (`patches: [~padding-free]`)")


@pytest.mark.parametrize("kind", REFUSED)
def test_what_check_refuses_so_is_refused_as_it_loads_or_by_the_trial(kind, tmp_path):
    model = miniature(kind)
    model.config.save_pretrained(tmp_path)
    spec = ModelSpec("a-model", tmp_path, family=None, template=None)
    if kind in SELECTIVE:  # by name: two short sequences do not tell of keys that are not chosen
        with pytest.raises(BadModel, match="choose the keys that a token sees"):
            require_interface(sequencewise.register(), spec, tmp_path)
        return
    model.set_attn_implementation(sequencewise.register())
    with pytest.raises(BadModel, match=r"reads the attention mask|cannot be computed by sequences"):
        require_isolated(model, SEQUENCEWISE)


def test_of_a_model_of_its_own_code_nothing_is_known():
    config = {"model_type": "llama", "auto_map": {"AutoModelForCausalLM": "modeling.Llama"}}
    assert not list(PaddingFree().check_model(config=config))
    (finding,) = PaddingFree().check_model(config={**config, "model_type": "nobodys"})
    assert "comes with them" in finding.problem


def test_it_is_a_default_where_it_can_be(small_run, tmp_path):
    def patches(**changes):
        run = check(small_run(**changes))
        return [one.name for one in run.of("patches")], run.notes

    assert "padding-free" in patches()[0]
    assert "padding-free" in patches(stage="pt")[0]
    names, notes = patches(patches=["sdpa"])
    assert "padding-free" not in names
    assert notes[-1].startswith("patches/padding-free, a default, is left out: ")
    HEEDLESS["bias by distance"]().save_pretrained(tmp_path / "model")
    assert "padding-free" not in patches(model=str(tmp_path / "model"), template="chatml")[0]


@pytest.mark.parametrize("backend", ["sdpa", "eager", "flex"])
def test_backends_that_go_by_masks_are_refused_and_why(small_run, backend):
    with pytest.raises(BadRunFile, match="without it each sequence goes through SDPA by itself"):
        check(small_run(patches=["padding-free", backend]), device=device_named("h100"))


def test_a_stage_of_other_rows_is_refused(tmp_path, small_run):
    (tmp_path / "mine.py").write_text(
        "from luthier.plugins.stages.sft import SupervisedFineTuning\n"
        "class Pairs(SupervisedFineTuning):\n"
        '    """Learns from pairs."""\n'
        "    traits = frozenset()\n"
        'ENTRY_POINTS = {"luthier.stages": {"pairs": Pairs}}\n'
    )
    run = small_run(plugins=[str(tmp_path / "mine.py")], stage="pairs", patches=["padding-free"])
    with pytest.raises(BadRunFile, match="lays out rows of token ids and labels, and this stage's"):
        check(run)


class _Tokenizer:
    pad_token_id = 3


def test_the_layout_is_that_of_the_backend():
    plugin = PaddingFree()
    of = {
        name: plugin.build_collator(tokenizer=_Tokenizer(), attention=name).layout
        for name in (SEQUENCEWISE, "flash_attention_2", "flash_attention_3")
    }
    assert of == {SEQUENCEWISE: "line", "flash_attention_2": "flat", "flash_attention_3": "flat"}
    with pytest.raises(BadModel, match=r"'sdpa' takes no rows that lie end to end"):
        plugin.build_collator(tokenizer=_Tokenizer(), attention="sdpa")


# --- runs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["sft", {"name": "sft", "packing": True}, "pt"], ids=str)
def test_a_run_learns_what_it_learns_from_padded_rows(small_run, tmp_path, stage):
    def losses(name, **changes):
        run = small_run(stage=stage, output=str(tmp_path / name), **changes)
        run["training"] = {"max_steps": 3, "batch_size": 4, "log_every": 1}
        if stage == "pt":
            run["data"] = [{"path": str(text), "format": "text"}]
        folder = train(run)
        return folder, [json.loads(one)["loss"] for one in folder.metrics.read_text().splitlines()]

    text = tmp_path / "texts.jsonl"
    text.write_text("".join(json.dumps({"text": "word " * n}) + "\n" for n in range(3, 20)))
    _, expected = losses("padded", patches=["~padding-free"])
    folder, found = losses("free", patches=["padding-free"])
    assert found == pytest.approx(expected, abs=1e-4)
    assert load(folder.path).model.config._attn_implementation == "sdpa"
