"""What may be laid over a model's attention, and what is refused before it trains a wrong model."""

import ast
import json
from collections import defaultdict
from pathlib import Path

import pytest
import torch
import transformers
from transformers.models.auto.configuration_auto import (
    CONFIG_MAPPING_NAMES,
    model_type_to_module_name,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as MODEL_TYPES

from luthier.core import BadModel, Plugin, check, hookimpl
from luthier.core.model.attention import (
    SELECTIVE,
    UNWRAPPED,
    composed_attention,
    require_interface,
)
from luthier.core.model.opening import ModelSpec
from luthier.core.problems import BadRunFile
from luthier.core.wiring import Selected, manager_of
from luthier.plugins.patches.padding_free import PaddingFree
from luthier.plugins.patches.s2_attention import S2Attention
from luthier.registry import Entry
from tests.sweep.miniatures import miniature


def laid_over(plugin):
    entry = Entry("patches", "own", "x:y", "a-package", "1.0")
    return composed_attention(None, manager_of([Selected("patches", "own", plugin, entry)]))


class Unchanged(Plugin):
    """Leaves attention as it is."""

    @hookimpl
    def wrap_attention(self, attention):
        return attention


# --- code that asks for its backend by name ----------------------------------------------------

HARMLESS = {
    "decision_transformer": "no language model",
    "encoder_decoder": "no decoder by itself",
    "timm_backbone": "no language model",
    "timm_wrapper": "no language model",
    "gpt2": "of `eager` alone it asks whether to compute in float32",
    "gemma4": "of a cache, in generation: which positions its last layers need not compute",
    "gemma4_unified": "of a cache, in generation: which positions its last layers need not compute",
    "diffusion_gemma": "transformers' own table of mask functions is asked, where ours are, too",
    "qwen2_5_omni": "in the part that speaks",
}
"""The modules of transformers that compare the name of the backend, and lose nothing by ours."""


def asked_by_name():
    """Return the modules whose code compares the name of the backend, each with the lines."""
    found = defaultdict(list)
    for file in Path(transformers.__file__).parent.glob("models/*/modeling_*.py"):
        text = file.read_text(encoding="utf-8")
        if "_attn_implementation" not in text:
            continue
        lines = [line for line in text.splitlines() if "_attn_implementation" in line]
        if not any(sign in line for line in lines for sign in (" in ", "==", "!=")):
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Compare):
                continue
            sides = [node.left, *node.comparators]
            if any(getattr(x, "attr", "") == "_attn_implementation" for x in sides):
                found[file.parent.name].append(node.lineno)
    return found


def test_a_model_that_asks_for_its_backend_by_name_is_refused_or_loses_nothing():
    kinds = defaultdict(set)
    for kind in CONFIG_MAPPING_NAMES:
        kinds[model_type_to_module_name(kind)].add(kind)
    found = asked_by_name()
    assert "minimax_m3_vl" in found  # the search finds what it is for
    language = {
        module: {k for k in kinds[module] if not k.endswith(("_vision", "_audio", "_encoder"))}
        for module in found.keys() - HARMLESS.keys()
    }
    for module, of_it in language.items():
        assert of_it <= UNWRAPPED, f"{module} compares the backend's name: {found[module]}"
        for kind in of_it:
            assert list(PaddingFree().check_model(config={"model_type": kind})), kind
    assert SELECTIVE | {"falcon"} == set().union(*language.values())


def test_sparse_attention_by_another_name_would_be_full_in_silence():
    ids = torch.arange(3, 43)[None]
    with torch.no_grad():
        plain, own = (
            _with(attention)(input_ids=ids, use_cache=False).logits
            for attention in ("sdpa", laid_over(Unchanged()))
        )
    # why such models are refused: should this fail, transformers has mended it
    assert (plain - own).abs().max() > 1e-3


def _with(attention):
    model = miniature("minimax_m3_vl_text").eval()
    model.set_attn_implementation(attention)
    return model


OWN = '''
from luthier.core import Plugin, hookimpl

class Own(Plugin):
    """Leaves attention as it is."""

    @hookimpl
    def wrap_attention(self, attention):
        return attention

ENTRY_POINTS = {"luthier.patches": {"own": Own}}
'''


@pytest.mark.parametrize("kind", ["glm_moe_dsa", "inkling_text", "minimax_m3_vl_text"])
def test_nothing_of_anybody_is_laid_over_attention_that_would_lose_by_it(kind, small_run, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    folder = tmp_path / "model"
    folder.mkdir()
    for config in ({"model_type": kind}, {"model_type": "x", "text_config": {"model_type": kind}}):
        (folder / "config.json").write_text(json.dumps({**config, "architectures": ["X"]}))
        run = small_run(
            plugins=[str(tmp_path / "own.py")],
            patches=["own"],
            model={"path": str(folder), "family": "auto"},
            template="chatml",
        )
        with pytest.raises(BadRunFile, match=rf"patches\.0: models of the type {kind} ") as fault:
            check(run)
        assert "nothing can be laid over their attention\n" in str(fault.value)
    miniature(kind).config.save_pretrained(folder)
    spec = ModelSpec("a-model", folder, family=None, template=None)
    require_interface("sdpa", spec, folder)
    with pytest.raises(BadModel, match=f"{kind} .* Leave out the patches of attention"):
        require_interface(laid_over(Unchanged()), spec, folder)


# --- models that call it in other ways ---------------------------------------------------------

CALLERS = [
    "afmoe", "doge",  # by names
    "cohere2", "deepseek_v3", "diffllama", "gemma3_text", "gpt2", "llama4_text", "qwen3_next",
]  # fmt: skip


@pytest.mark.parametrize("kind", CALLERS)
def test_what_is_laid_over_attention_is_called_alike_by_every_model(kind):
    assert kind in MODEL_TYPES
    ids = torch.arange(3, 27)[None]
    full, one = miniature(kind).eval(), miniature(kind).eval()
    one.set_attn_implementation(laid_over(S2Attention(share=1.0)))
    with torch.no_grad():
        expected = full(input_ids=ids, use_cache=False).logits
        torch.testing.assert_close(one(input_ids=ids, use_cache=False).logits, expected)
    one.set_attn_implementation(laid_over(S2Attention(tokens=4)))
    logits = one.train()(input_ids=ids, use_cache=False).logits
    assert logits.isfinite().all()
    assert (logits - expected).abs().max() > 1e-4
