"""Backends of attention: what transformers is handed, and what is refused where and why."""

import importlib.metadata
from pathlib import Path

import pytest
import torch
import transformers
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from luthier.core import BadModel, Plugin, check, hookimpl, load, train
from luthier.core.device import device_named
from luthier.core.model import attention
from luthier.core.model.attention import backend_of, composed_attention, require_interface
from luthier.core.model.loading import LoadPlan
from luthier.core.model.opening import ModelSpec
from luthier.core.model.sequencewise import register
from luthier.core.problems import BadRunFile
from luthier.core.wiring import Selected, manager_of
from luthier.plugins.patches.flash_attention import FlashAttention
from luthier.plugins.patches.flex import Flex
from luthier.registry import Entry

SIZES = {
    "vocab_size": 40, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
H100, T4, CPU = (device_named(name) for name in ("h100", "t4", "cpu"))


@pytest.fixture
def planned(tmp_path):
    def plan_for(plugin, config=None, dtype="bfloat16"):
        (config or transformers.LlamaConfig(**SIZES)).save_pretrained(tmp_path)
        plan = LoadPlan(dtype)
        spec = ModelSpec("a-model", Path(), family=None, template=None)
        plugin.plan_load(plan=plan, model=spec, location=tmp_path)
        return plan.attention

    return plan_for


@pytest.fixture
def on_gpu(monkeypatch):
    """Have the plugin find an H100 and the named packages; what it hands over needs neither."""

    def having(*packages, device=H100):
        monkeypatch.setattr("luthier.core.device.present", lambda: device)
        original = importlib.metadata.version
        monkeypatch.setattr(
            importlib.metadata, "version", lambda name: "9" if name in packages else original(name)
        )

    return having


def findings(device, **options):
    return list(FlashAttention(**options).check_model(device=device))


# --- flash attention ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "package", "name"),
    [
        ({}, "flash-attn", "flash_attention_2"),
        ({"version": 3}, "flash-attn-3", "flash_attention_3"),
        ({"kernel": "kernels-community/flash-attn2"}, "kernels", "kernels-community/flash-attn2"),
        ({"kernel": "kernels-community/x@v1"}, "kernels", "kernels-community/x@v1"),
    ],
)
def test_transformers_is_handed_the_name_of_the_kernel(planned, on_gpu, options, package, name):
    on_gpu(package)
    assert planned(FlashAttention(**options)) == name
    assert findings(H100, **options) == []


REFUSED = {
    "no GPU": (CPU, {}, "runs on NVIDIA and AMD GPUs, and this is cpu", "eave it out"),
    "an old GPU": (T4, {}, "needs compute capability 8.0, and NVIDIA T4 has 7.5", "eave it out"),
    "no package": (H100, {}, "needs the package flash-attn,", "luthier[flash-attn]"),
    "no package of 3": (H100, {"version": 3}, "needs the package flash-attn-3,", "`hopper`"),
    "no kernels": (
        H100, {"kernel": "kernels-community/x"}, "needs the package kernels,", "install kernels",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_where_it_cannot_run_check_and_load_say_why_and_what_to_do(planned, on_gpu, why):
    device, options, problem, remedy = REFUSED[why]
    (finding,) = findings(device, **options)
    assert problem in finding.problem
    assert remedy in finding.remedy
    on_gpu(device=device)
    with pytest.raises(BadModel) as fault:
        planned(FlashAttention(**options))
    assert problem in str(fault.value)
    assert remedy in str(fault.value)


@pytest.mark.parametrize("why", REFUSED)
def test_only_where_it_is_allowed_transformers_own_choice_takes_its_place(
    planned, on_gpu, why, caplog
):
    device, options, problem, _ = REFUSED[why]
    on_gpu(device=device)
    assert findings(device, **options, fallback=True) == []
    assert planned(FlashAttention(**options, fallback=True)) is None
    assert problem in caplog.text


def test_a_model_or_a_precision_that_it_does_not_take_is_refused(planned, on_gpu):
    on_gpu("flash-attn")
    with pytest.raises(BadModel, match=r"half precision.*float32.*`model\.dtype` to bfloat16"):
        planned(FlashAttention(), dtype="float32")
    with pytest.raises(BadModel, match="BloomForCausalLM does not take flash attention"):
        planned(FlashAttention(), transformers.BloomConfig())


def test_check_tells_it_at_its_place_with_all_else(small_run):
    run = small_run(patches=["flash-attention", "sdpa"])
    with pytest.raises(BadRunFile, match=r"patches\.0: flash attention runs on") as fault:
        check(run, device=CPU)
    assert "a model has one attention backend" in str(fault.value)
    check(small_run(patches=[{"name": "flash-attention", "fallback": True}]), device=CPU)


def test_a_kernel_of_just_anyone_is_refused():
    with pytest.raises(ValueError, match="String should match pattern"):
        FlashAttention(kernel="someone/flash")


def test_wrapped_flash_attention_finds_its_kernel_by_the_backends_own_name(monkeypatch):
    """In place of the kernel, which needs a GPU, stands one that says by what name it was asked."""
    asked = []

    def kernel(module, query, key, value, mask, **named):
        asked.append((module.config._attn_implementation, module.is_causal, module.layer_idx))
        assert module.config.hidden_size == 32
        groups = module.num_key_value_groups
        key, value = (x.repeat_interleave(groups, 1) for x in (key, value))
        out = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return out.transpose(1, 2), None

    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS._global_mapping, "flash_attention_2", kernel)
    manager = manager_of([selected("doubling", doubling())])
    own = composed_attention("flash_attention_2", manager)
    config = transformers.LlamaConfig(**SIZES)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation=own)
    assert backend_of(model) == "flash_attention_2"
    assert attention.FLASH not in own
    model(torch.arange(6)[None])
    assert asked == [("flash_attention_2", True, 0), ("flash_attention_2", True, 1)]


def doubling():
    class Doubling(Plugin):
        """Doubles what attention gives."""

        @hookimpl
        def wrap_attention(self, attention):
            def doubled(*args, **kwargs):
                output, weights = attention(*args, **kwargs)
                return output * 2, weights

            return doubled

    return Doubling()


def selected(name, plugin):
    return Selected("patches", name, plugin, Entry("patches", name, "x:y", "a-package", "1.0"))


# --- flex --------------------------------------------------------------------------------------


def test_flex_is_chosen_for_a_gpu_and_refused_by_check_elsewhere(planned, small_run):
    assert planned(Flex()) == "flex_attention"
    run = small_run(patches=["flex"])
    assert check(run, device=H100)
    with pytest.raises(BadRunFile, match=r"no backward pass on a CPU\n.*Leave it out"):
        check(run, device=CPU)


def test_a_model_that_flex_does_not_take_is_refused(planned):
    with pytest.raises(BadModel, match="BloomForCausalLM does not take flex attention"):
        planned(Flex(), transformers.BloomConfig())
    with pytest.raises(BadModel, match="drops out 10% of its attention weights"):
        planned(Flex(), transformers.LlamaConfig(**SIZES, attention_dropout=0.1))


# --- models that SDPA does not compute ---------------------------------------------------------


def unfit_for_sdpa():
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    classes = transformers.MODEL_FOR_CAUSAL_LM_MAPPING
    kinds = {k: classes[transformers.CONFIG_MAPPING[k]] for k in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES}
    own = {k for k, made in kinds.items() if not made._can_set_attn_implementation()}
    return {k for k, made in kinds.items() if not made._supports_sdpa}, own


def test_the_models_that_sdpa_does_not_compute_are_those_that_transformers_says_it_does_not():
    unfit, own = unfit_for_sdpa()
    assert unfit <= attention.WITHOUT_SDPA
    assert unfit | own <= attention.UNWRAPPED | attention.CAPPED


def saved(folder, config):
    """Write a small model of random weights, and the tokenizer of the built-in one."""
    from luthier.plugins.families.tiny.making import tiny_model

    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text((tiny_model() / name).read_text())
    return {"path": str(folder)}


LARGE = {**SIZES, "vocab_size": 2048, "head_dim": 8}
UNFIT = {
    "gemma2": lambda: transformers.Gemma2Config(**LARGE),
    "vaultgemma": lambda: transformers.VaultGemmaConfig(**LARGE),
    "gpt_oss": lambda: transformers.GptOssConfig(
        **LARGE, num_local_experts=2, num_experts_per_tok=2
    ),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_model_that_sdpa_does_not_compute_trains_where_nobody_chose_it(kind, small_run, tmp_path):
    model = saved(tmp_path / kind, UNFIT[kind]())
    run = small_run(model=model, training={"max_steps": 1}, template="chatml")
    with pytest.raises(
        BadRunFile, match=rf"the type {kind} compute attention as SDPA cannot\n.*`eag"
    ):
        check({**run, "patches": ["sdpa"]})
    for patches in ([], ["eager"]):
        folder = train({**run, "patches": patches}, overwrite=True)
        assert load(folder.path).model.config._attn_implementation == "eager"


def test_what_no_config_tells_is_refused_before_the_weights_are_loaded(tmp_path):
    transformers.GptOssConfig(**LARGE, num_local_experts=2, num_experts_per_tok=2).save_pretrained(
        tmp_path
    )
    spec = ModelSpec("a-model", tmp_path, family=None, template=None)
    require_interface(None, spec, tmp_path)
    require_interface("eager", spec, tmp_path)
    with pytest.raises(BadModel, match=r"GptOssForCausalLM .*SDPA.*Name no backend"):
        require_interface("sdpa", spec, tmp_path)
    laid_over = composed_attention(None, manager_of([selected("doubling", doubling())]))
    for own in (laid_over, register()):
        with pytest.raises(BadModel, match=r"as SDPA cannot.* Leave out the patches of attention"):
            require_interface(own, spec, tmp_path)
    transformers.Gemma2Config(**LARGE).save_pretrained(tmp_path)
    require_interface(laid_over, spec, tmp_path)


def test_wrappers_lie_over_attention_with_the_caps_of_the_model():
    config = transformers.Gemma2Config(**LARGE, attn_logit_softcapping=0.05)
    ids = torch.arange(3, 40)[None]
    logits = []
    for own in ("eager", composed_attention(None, manager_of([selected("x", unchanged())]))):
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation=own)
        logits.append(model(ids).logits)
    assert backend_of(model) == "sdpa"
    torch.testing.assert_close(*logits, atol=1e-5, rtol=0)


def unchanged():
    class Unchanged(Plugin):
        """Leaves attention as it is."""

        @hookimpl
        def wrap_attention(self, attention):
            return attention

    return Unchanged()
