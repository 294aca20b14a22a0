"""Adapters of earlier runs: gone on with, or made part of what a new one is laid on."""

import json

import pytest
import torch

from luthier.core import BadModel, load, train
from luthier.core.model.adapters import merged, with_adapter
from luthier.core.model.opening import locate, model_spec, open_model
from luthier.core.problems import BadRunFile
from luthier.core.run.program import check, settled

IDS = torch.arange(40)[None]
LORA = {"name": "lora", "rank": 4}


@pytest.fixture(scope="module")
def run(module_run, tmp_path_factory):
    """What makes a run file of a few steps on the same rows."""

    def contents(**changes):
        output = str(tmp_path_factory.mktemp("runs") / "run")
        training = {"max_steps": 3, "batch_size": 4, "learning_rate": 0.01}
        return module_run(**{"tuner": LORA, "training": training, "output": output, **changes})

    return contents


@pytest.fixture(scope="module")
def adapters(run):
    """The adapters of two runs, each laid on the plain model."""
    first = train(run())
    second = train(run(tuner={"name": "lora", "rank": 2, "targets": "mlp"}))
    return [str(first.model), str(second.model)]


def opened(contents, *, training):
    located = locate(model_spec(settled(contents), training=training))
    return open_model(located, training=training).model


def logits(model):
    with torch.no_grad():
        return model.eval()(input_ids=IDS).logits


def plain(adapters):
    """Return the tiny model with adapters merged into it one after the other, by PEFT alone."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from luthier.plugins.families.tiny.making import tiny_model

    model = AutoModelForCausalLM.from_pretrained(tiny_model())
    for folder in adapters:
        model = PeftModel.from_pretrained(model, folder).merge_and_unload()
    return model


def test_all_but_the_last_become_the_model_and_the_last_is_trained_on(run, adapters):
    model = opened(run(model={"path": "tiny", "adapters": adapters}), training=True)
    assert (logits(model) - logits(plain(adapters))).abs().max() < 1e-5
    with model.disable_adapter():
        assert (logits(model) - logits(plain(adapters[:1]))).abs().max() < 1e-5
    config = model.peft_config["default"]
    assert (config.r, config.inference_mode) == (2, False)
    trained = {name for name, one in model.named_parameters() if one.requires_grad}
    assert trained
    assert all("mlp" in name and "lora_" in name for name in trained)


def test_a_new_adapter_is_laid_on_all_where_none_is_to_be_gone_on_with(run, adapters):
    section = {"path": "tiny", "adapters": adapters, "continue_adapter": False}
    model = opened(run(model=section), training=True)
    with model.disable_adapter():
        assert (logits(model) - logits(plain(adapters))).abs().max() < 1e-5
    assert model.peft_config["default"].r == 4


def test_every_tuner_that_says_so_goes_on_from_what_it_saved(run, tmp_path):
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    from luthier.core.selection import plugin_of
    from luthier.registry import Catalogue

    catalogue = Catalogue.installed()
    found = {}
    for name in set(catalogue.names("tuners")) - {"unsloth"}:  # whose kernels need a GPU
        plugin = plugin_of(catalogue.find("tuners", name))
        if "continues-adapter" in plugin.traits:
            tuner = {"name": name, **({"targets": "attention"} if name != "prompt-tuning" else {})}
            contents = run(tuner=tuner, output=str(tmp_path / name))
            folder = train(contents)
            section = {"path": "tiny", "adapters": [str(folder.model)]}
            model = opened({**contents, "model": section}, training=True)
            saved = load_file(folder.model / "adapter_model.safetensors")
            own = get_peft_model_state_dict(model, save_embedding_layers=False)
            found[name] = own.keys() == saved.keys() and all(
                torch.equal(own[key].detach(), saved[key]) for key in saved
            )
            assert any(one.requires_grad for one in model.parameters())
    assert found
    assert all(found.values()), found


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_run_on_adapters_answers_with_those_beneath_it(run, adapters, goes_on):
    section = {"path": "tiny", "adapters": adapters, "continue_adapter": goes_on}
    folder = train(run(model=section))
    beneath = adapters[:1] if goes_on else adapters
    expected = logits(plain([*beneath, str(folder.model)]))
    assert (logits(load(folder.path).model) - expected).abs().max() < 1e-5


def test_the_models_own_weights_are_trained_with_all_adapters_in_them(run, adapters):
    contents = run(model={"path": "tiny", "adapters": adapters}, tuner="full")
    assert (logits(opened(contents, training=True)) - logits(plain(adapters))).abs().max() < 1e-5


@pytest.mark.parametrize("tuner", ["dora", "vera"])
def test_an_adapter_of_another_kind_is_not_gone_on_with(run, adapters, tuner):
    contents = run(model={"path": "tiny", "adapters": adapters}, tuner=tuner)
    with pytest.raises(BadRunFile, match=r"(?s)another kind \(LORA\).*`model.continue_adapter: f"):
        check(contents)
    contents["model"]["continue_adapter"] = False
    assert check(contents)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 3}, "cannot be merged into them"),
        ({"peft_type": "LORA", "loftq_config": {"loftq_bits": 4}}, "fitted to weights in few bits"),
    ],
    ids=["a prompt", "one of few bits"],
)
def test_an_adapter_that_cannot_lie_there_is_told_before_anything_is_loaded(
    run, tmp_path, config, said
):
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    section = {"path": "tiny", "adapters": [str(tmp_path)], "continue_adapter": False}
    with pytest.raises(BadRunFile, match=said) as fault:
        check(run(model=section))
    assert [one.key for one in fault.value.problems] == ["model.adapters.0"]


def test_options_that_the_adapter_has_its_own_of_are_told(run, adapters):
    section = {"path": "tiny", "adapters": adapters[:1]}
    folder = train(run(model=section, tuner={"name": "lora", "rank": 16, "targets": "mlp"}))
    told = (folder.path / "log.txt").read_text()
    assert "`targets`, `rank` of tuners/lora do not act" in told
    assert "not act" not in (train(run(model=section, tuner="lora")).path / "log.txt").read_text()


def test_a_prompt_that_is_gone_on_with_keeps_its_length(run):
    folder = train(run(tuner={"name": "prompt-tuning", "tokens": 3}))
    section = {"path": "tiny", "adapters": [str(folder.model)]}
    model = opened(run(model=section, tuner={"name": "prompt-tuning", "tokens": 5}), training=True)
    assert logits(model).shape[1] == IDS.shape[1]


def test_tokens_that_an_adapter_has_no_rows_for_are_not_left_untrained(run, adapters):
    section = {"path": "tiny", "adapters": adapters[:1], "add_tokens": ["<a>"]}
    with pytest.raises(BadModel, match=r"'<a>'.*trains no rows of .*`model.continue_adapter: fals"):
        opened(run(model=section), training=True)
    taught = str(train(run(model={"path": "tiny", "add_tokens": ["<a>"]})).model)
    section["adapters"] = [taught]
    model = opened(run(model=section), training=True)
    assert any("token_adapter" in n for n, p in model.named_parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tuner": "adalora"}, r"tuners/adalora cannot go on training.*continue_adapter: false"),
        ({"tuner": "llama-pro"}, r"tuners/llama-pro gives layers new numbers.*luthier merge"),
        ({"quantizer": "bnb"}, r"quantizers/bnb holds the weights in few bits.*luthier merge"),
    ],
    ids=["no continuation", "new numbers", "few bits"],
)
def test_what_cannot_be_done_with_adapters_is_told_before_anything_is_loaded(
    run, adapters, changes, said
):
    with pytest.raises(BadRunFile, match=f"(?s){said}"):
        check(run(model={"path": "tiny", "adapters": adapters}, **changes))


def test_an_adapter_on_weights_in_few_bits_is_gone_on_with_and_not_merged(run, adapters):
    section = {"path": "tiny", "adapters": adapters[:1]}
    model = opened(run(model=section, quantizer="bnb"), training=True)
    assert model.peft_config["default"].r == 4
    with pytest.raises(BadModel, match=r"held in few bits.*`luthier merge .* NEW_FOLDER`"):
        merged(model, adapters[0])


def test_a_prompt_is_not_merged(run):
    folder = train(run(tuner={"name": "prompt-tuning", "tokens": 3}))
    with pytest.raises(BadModel, match="no change of the model's weights"):
        merged(with_adapter(plain([]), folder.model), folder.model)


# --- adapters of others on a head that is the embedding ------------------------------------------

ENDS = {
    "the head": {"target_modules": ["lm_head", "q_proj"]},
    "the embedding": {"target_modules": ["embed_tokens", "q_proj"]},
    "both": {"target_modules": ["lm_head", "embed_tokens"]},
    "both, by PEFT's word": {
        "target_modules": ["lm_head", "embed_tokens"], "ensure_weight_tying": True,
    },
    "the embedding, whole": {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
    "both, whole": {
        "target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"],
        "ensure_weight_tying": True,
    },
}  # fmt: skip


@pytest.fixture(params=ENDS)
def foreign(request, tmp_path):
    """A model whose head is its embedding, and an adapter of PEFT on either; what they answer."""
    import warnings

    import transformers
    from peft import LoraConfig, get_peft_model

    from luthier.plugins.families.tiny.making import tiny_model

    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model())
    model.config.tie_word_embeddings = True
    model.tie_weights()
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    model.save_pretrained(base)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (base / name).write_text((tiny_model() / name).read_text())
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT warns of merging by itself
        small = {"r": 2, "lora_alpha": 0.1, "init_lora_weights": False}
        config = LoraConfig(task_type="CAUSAL_LM", **small, **ENDS[request.param])
        adapted = get_peft_model(model, config)
        with torch.no_grad():
            for name, one in adapted.named_parameters():
                if "modules_to_save" in name:
                    one.add_(torch.randn_like(one), alpha=0.1)
        adapted.save_pretrained(adapter, save_embedding_layers=False)
    with adapted.disable_adapter():
        without = logits(adapted)
    assert (without - logits(adapted)).abs().max() > 1e-3
    return base, adapter, logits(adapted)


def test_beneath_a_new_adapter_it_answers_as_beside_the_model(foreign, run):
    base, adapter, expected = foreign
    contents = run(
        model={"path": str(base), "family": "tiny", "adapters": [str(adapter)]},
        tuner={**LORA, "targets": "mlp"},
    )
    beside = opened(contents, training=False)
    assert (logits(beside) - expected).abs().max() < 1e-5
    contents["model"]["continue_adapter"] = False
    model = opened(contents, training=True)
    with model.disable_adapter():
        assert (logits(model) - expected).abs().max() < 1e-4


def test_merged_it_answers_so_when_stock_libraries_load_it(foreign, tmp_path):
    from transformers import AutoModelForCausalLM

    from luthier.core.run.merging import merge

    base, adapter, expected = foreign
    merge(adapter, tmp_path / "whole", base=str(base))
    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "whole")
    assert (logits(stock) - expected).abs().max() < 1e-4
