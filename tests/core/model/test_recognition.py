"""Recognition: by id, by architecture, by chat template, by special tokens; never guessed."""

import json
import re

import pytest

from luthier.core.errors import LuthierError
from luthier.core.model.evidence import Evidence, special_tokens_of
from luthier.core.model.recognition import families_of, recognise
from luthier.core.templates import load_template
from luthier.core.templates.brought import Brought
from luthier.registry import Catalogue

CATALOGUE = Catalogue.installed()
FAMILIES = families_of(CATALOGUE)
LISTED = [(n, one) for n, f in FAMILIES.items() for one in f.checkpoints]


def told(path="some/model", tokens=(), template=None, **config):
    """Return what is recognised of a model with this config."""
    brought = None
    if template is not None:
        known = load_template(template, CATALOGUE)
        brought = Brought(known.jinja(), known.bos_token or "", known.eos_token or "")
    return recognise(Evidence(path, config or None, brought, frozenset(tokens)), CATALOGUE)


def test_every_listed_checkpoint_is_recognised_by_its_id_on_each_hub():
    for name, one in LISTED:
        for where in one.ids:
            found = told(where)
            assert (found.family, found.reason) == (name, "its id"), where
            assert found.template == (one.template or FAMILIES[name].template)


def test_every_listed_checkpoint_is_recognised_when_its_config_is_at_hand():
    for name, one in LISTED:
        for architecture in FAMILIES[name].architectures:
            assert told(one.hub, architectures=[architecture]).family == name, one.hub


def types_of_transformers():
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return dict(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def test_every_model_type_of_transformers_is_of_one_family_or_taken_by_auto():
    auto = []
    for model_type, architecture in types_of_transformers().items():
        found = told(architectures=[architecture], model_type=model_type)
        family = FAMILIES[found.family]
        if family.any_architecture:
            auto.append(model_type)
            assert f"no installed family knows {architecture}" in found.note
        else:
            assert architecture in family.architectures
            assert model_type in family.model_types or architecture == "LlamaForCausalLM"
    assert 0 < len(auto) < len(types_of_transformers())


def test_every_model_type_of_a_family_tells_it_or_its_kin_without_a_class():
    for name, family in FAMILIES.items():
        for model_type in family.model_types:
            found = told(model_type=model_type)
            assert model_type in FAMILIES[found.family].model_types, name


def test_an_architecture_of_one_family_alone_is_enough():
    found = told(architectures=["Gemma2ForCausalLM"], model_type="gemma2")
    assert (found.family, found.template, found.note) == ("gemma2", "gemma2", "")
    assert found.reason == "its architecture, Gemma2ForCausalLM"


@pytest.mark.parametrize(
    ("architecture", "template", "family"),
    [
        ("LlamaForCausalLM", "vicuna", "vicuna"),
        ("LlamaForCausalLM", "solar", "solar"),
        ("LlamaForCausalLM", "llama3.1", "llama3"),
        ("LlamaForCausalLM", "deepseek-coder", "deepseek-coder"),
        ("LlamaForCausalLM", "falcon3", "falcon3"),
        ("Qwen2ForCausalLM", "qwen2.5", "qwen2.5"),
        ("Qwen2ForCausalLM", "deepseek-r1-distill", "deepseek-r1-distill"),
        ("MistralForCausalLM", "zephyr", "zephyr"),
        ("MistralForCausalLM", "openchat", "openchat"),
        ("Phi3ForCausalLM", "phi-4", "phi-4"),
        ("Phi3ForCausalLM", "phi-3.5", "phi-3"),
        ("DeepseekV3ForCausalLM", "kimi-k2", "kimi"),
        ("ChatGLMModel", "chatglm2", "chatglm2"),
    ],
)
def test_lines_that_share_an_architecture_are_told_by_their_chat_template(
    architecture, template, family
):
    found = told(template=template, architectures=[architecture])
    assert (found.family, found.reason) == (family, "its chat template")
    assert template in found.chat_templates


def formats_of(family):
    own = (family.template, *family.chat_templates, *(c.template for c in family.checkpoints))
    return list(dict.fromkeys(filter(None, own)))


ALIKE = {
    architecture: kin
    for architecture in sorted({a for family in FAMILIES.values() for a in family.architectures})
    if len(kin := [n for n, f in FAMILIES.items() if architecture in f.architectures]) > 1
}
"""The architectures that several families have, with these."""


@pytest.mark.parametrize("architecture", ALIKE)
def test_a_format_tells_the_line_that_has_it_or_all_lines_that_do(architecture):
    for name in ALIKE[architecture]:
        for template in formats_of(FAMILIES[name]):
            found = told(template=template, architectures=[architecture])
            if found.note:  # several have it: all of them are named, and none is taken for it
                listed = found.note.partition(", and neither")[0]
                assert re.search(rf"\b{re.escape(name)}\b", listed), (name, template)
                assert " and " in listed, (name, template)
                assert FAMILIES[found.family].general_template is not None
            else:
                assert (found.family, found.reason) == (name, "its chat template"), template
            assert template in found.chat_templates or found.note


def test_a_checkpoint_s_own_format_tells_its_line():
    found = told(template="qwq-preview", architectures=["Qwen2ForCausalLM"])
    assert (found.family, found.note) == ("qwq", "")
    assert told(template="qwen2.5", architectures=["Qwen2ForCausalLM"]).family == "qwen2.5"


def test_special_tokens_tell_where_a_chat_template_does_not():
    found = told(tokens=["<|begin_of_text|>", "<|eot_id|>"], architectures=["LlamaForCausalLM"])
    assert (found.family, found.reason) == ("llama3", "its special tokens")
    assert told(tokens=["<|eot_id|>"], architectures=["LlamaForCausalLM"]).family == "llama"


def test_what_cannot_be_told_is_said_and_not_guessed():
    found = told(architectures=["LlamaForCausalLM"], model_type="llama")
    assert (found.family, found.template) == ("llama", "default")
    assert found.reason == "its architecture, LlamaForCausalLM, alone"
    assert "neither its id nor its chat template nor its special tokens tell" in found.note
    assert "vicuna" in found.note
    assert "llama3.1" in found.chat_templates  # its own may be one of its kin's all the same


@pytest.mark.parametrize(
    ("template", "lines"), [("llama2", "codellama and llama2"), ("chatml", "llama, smollm and yi")]
)
def test_a_format_that_several_lines_have_leaves_the_family_open(template, lines):
    found = told(template=template, architectures=["LlamaForCausalLM"])
    assert (found.family, found.template) == ("llama", "default")
    assert found.reason == "its architecture, LlamaForCausalLM, alone"
    assert found.note.startswith(f"LlamaForCausalLM is the architecture of {lines}, and neither")


def test_an_id_goes_before_a_chat_template_and_an_architecture_before_an_id():
    found = told("lmsys/vicuna-7b-v1.5", template="llama3.1", architectures=["LlamaForCausalLM"])
    assert found.family == "vicuna"
    found = told("lmsys/vicuna-7b-v1.5", architectures=["Gemma2ForCausalLM"])
    assert found.family == "gemma2"


@pytest.mark.parametrize(
    ("path", "config"),
    [
        ("/x/hub/models--01-ai--Yi-34B-Chat/snapshots/abc", {}),
        ("/home/me/tuned", {"_name_or_path": "01-ai/Yi-34B-Chat"}),
        ("01-ai/Yi-40B-Chat", {}),
    ],
)
def test_an_id_is_read_off_the_hub_s_cache_and_off_the_config_and_patterns_have_the_rest(
    path, config
):
    assert told(path, architectures=["LlamaForCausalLM"], **config).family == "yi"


def test_a_tuned_model_is_told_by_its_own_chat_template_before_its_base_s_id():
    config = {"architectures": ["LlamaForCausalLM"], "_name_or_path": "01-ai/Yi-34B-Chat"}
    found = told("/home/me/tuned", template="vicuna", **config)
    assert (found.family, found.reason) == ("vicuna", "its chat template")
    assert told("/home/me/tuned", **config).reason == "the id that its config names"


def test_the_name_of_a_folder_tells_nothing():
    assert told("/models/vicuna-7b-v1.5", architectures=["LlamaForCausalLM"]).family == "llama"


def test_a_type_parts_what_one_class_joins():
    found = told(architectures=["LlamaForCausalLM"], model_type="internlm3")
    assert found.family == "internlm3"
    assert told(architectures=["DeepseekV3ForCausalLM"], model_type="kimi_k2").family == "kimi"


def test_a_class_that_no_family_has_is_told_by_the_type_unless_it_brings_code():
    config = {"architectures": ["LlamaForSequenceClassification"], "model_type": "gemma2"}
    assert told(**config).family == "gemma2"
    assert told(**config, auto_map={"AutoModelForCausalLM": "modeling_x.X"}).family == "auto"


def test_an_architecture_that_no_family_knows_is_taken_by_auto_which_says_so():
    found = told(architectures=["StrangeForCausalLM"], model_type="strange")
    assert (found.family, found.template) == ("auto", "default")
    assert found.note.startswith("no installed family knows StrangeForCausalLM: 'auto' reads its")


def test_a_config_that_names_nothing_is_of_no_family():
    with pytest.raises(LuthierError, match="names no architecture, which no installed family has"):
        told(vocab_size=7)
    assert told("owner/name") is None
    assert told("tiny").family == "tiny"


def test_special_tokens_are_read_off_a_tokenizer_s_files(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "bos_token": {"content": "<s>"}, "eos_token": None,
                "added_tokens_decoder": {"7": {"content": "<|eot_id|>", "special": True}},
                "extra_special_tokens": ["<x>"],
            }
        )
    )  # fmt: skip
    (tmp_path / "special_tokens_map.json").write_text('{"pad_token": "<pad>"}')
    assert special_tokens_of(tmp_path) == {"<s>", "<|eot_id|>", "<x>", "<pad>"}
