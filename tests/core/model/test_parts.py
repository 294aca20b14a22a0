"""The parts of opening a model: the load plan, attention, devices, families."""

from typing import ClassVar

import pytest
import torch

from luthier.core import BadModel, Plugin, Refusal, hookimpl
from luthier.core.compatibility import conflicts
from luthier.core.device import device_named
from luthier.core.errors import TwoOwners
from luthier.core.model.attention import composed_attention
from luthier.core.model.loading import LoadPlan
from luthier.core.plugin import Need
from luthier.core.wiring import Selected, manager_of
from luthier.registry import Entry


def selected(name, plugin):
    return Selected("patches", name, plugin, Entry("patches", name, "x:y", "a-package", "1.0"))


# --- a model -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                    num_attention_heads=2, num_key_value_heads=1, vocab_size=20)
    )  # fmt: skip


# --- the load plan -------------------------------------------------------------------------------


def test_two_plugins_that_set_one_field_are_both_named():
    plan = LoadPlan("float32")
    with plan.owned_by("patches/a"):
        plan.attention = "sdpa"
        plan.change_config("x", 1)
        plan.attention = "eager"
    with plan.owned_by("patches/b"):
        with pytest.raises(TwoOwners, match=r"patches/a and patches/b both decide 'attention'"):
            plan.attention = "flex"
        with pytest.raises(TwoOwners, match=r"'config\.x'"):
            plan.change_config("x", 2)


def test_a_field_that_a_plan_does_not_have_is_refused():
    with pytest.raises(AttributeError, match="no field 'atention'"):
        LoadPlan("float32").atention = "sdpa"


# --- attention -------------------------------------------------------------------------------


class Doubling(Plugin):
    """Doubles what attention gives."""

    @hookimpl
    def wrap_attention(self, attention):
        def doubled(*args, **kwargs):
            output, weights = attention(*args, **kwargs)
            return output * 2, weights

        return doubled


def logits_with(attention, llama):
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    model = LlamaForCausalLM._from_config(llama.config, attn_implementation=attention).eval()
    with torch.no_grad():
        return model(input_ids=torch.arange(6)[None]).logits


def test_wrappers_are_laid_over_the_backend(llama):
    once = composed_attention("sdpa", manager_of([selected("a", Doubling())]))
    twice = [selected("a", Doubling()), selected("b", Doubling())]
    thrice = composed_attention("sdpa", manager_of(twice))
    plain = logits_with("sdpa", llama)
    assert not torch.allclose(logits_with(once, llama), plain)
    assert not torch.allclose(logits_with(thrice, llama), logits_with(once, llama))
    assert composed_attention("sdpa", manager_of([])) == "sdpa"


def test_a_backend_that_cannot_be_wrapped_is_refused():
    with pytest.raises(BadModel, match=r"patches/a cannot be laid over.*'no-such'"):
        composed_attention("no-such", manager_of([selected("a", Doubling())]))


# --- rules ---------------------------------------------------------------------------


class Fast(Plugin):
    """Needs a GPU and does without backends."""

    needs: ClassVar = (Need("device-gpu", "its kernels are for GPUs", "Leave it out"),)
    refuses: ClassVar = (Refusal("attention-backend", "it is one itself", "Leave the other out"),)
    traits: ClassVar = frozenset({"attention-wrapper"})


def test_a_rule_speaks_of_traits_and_says_the_way_out():
    from luthier.plugins.patches.sdpa import Sdpa

    chosen = [selected("fast", Fast()), selected("sdpa", Sdpa())]
    said = [(c.problem, c.remedy) for c in conflicts(chosen, device_named("cpu"))]
    assert said == [
        ("patches/fast cannot go with patches/sdpa: it is one itself", "Leave the other out."),
        ("patches/fast cannot run here (cpu): its kernels are for GPUs", "Leave it out."),
    ]
    assert len(list(conflicts(chosen, device_named("h100")))) == 1
