"""The quantizer that a model's config tells, and what does not go with it; no library is needed."""

import json
from pathlib import Path

import pytest

from luthier.core import check
from luthier.core.model.quantization import Quantizer, stored_quantization
from luthier.core.problems import BadRunFile, Place
from luthier.core.runfile import resolve
from luthier.core.runfile.nodes import node_of
from luthier.core.runfile.quantizing import STORED
from luthier.plugins.quantizers.bnb import BitsAndBytes


@pytest.fixture
def stored(tmp_path):
    """Write the config of a model that is stored quantized; return the model of a run file."""

    def written(**told):
        folder = tmp_path / "stored"
        folder.mkdir(exist_ok=True)
        config = {"architectures": ["LlamaForCausalLM"], "quantization_config": told}
        (folder / "config.json").write_text(json.dumps(config))
        return {"path": str(folder)}

    return written


@pytest.fixture
def ready(monkeypatch):
    """Take every package for installed."""
    monkeypatch.setattr("luthier.core.runfile.choosing.missing_packages", lambda cls: [])


def said_of(contents, *overrides):
    with pytest.raises(BadRunFile) as fault:
        check(contents, overrides)
    return str(fault.value)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"quant_method": "gptq", "bits": 4}, "gptq"),
        ({"quant_method": "awq", "bits": 4}, "awq"),
        ({"quant_method": "aqlm"}, "aqlm"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "bnb"),
        ({"load_in_4bit": True}, "bnb"),
    ],
)
def test_a_model_that_is_stored_quantized_tells_its_quantizer(small_run, stored, ready, told, name):
    run = check(small_run(tuner="lora", model=stored(**told)))
    (quantizer,) = run.of("quantizers")
    assert quantizer.name == name
    assert run.tree.at(("quantizer", "name")).place == STORED


def test_a_language_model_within_another_tells_it_too():
    told = {"quant_method": "gptq"}
    assert stored_quantization({"text_config": {"quantization_config": told}}) == told
    assert stored_quantization({"text_config": {}}) is None


def test_a_model_of_the_time_before_methods_had_names_is_bitsandbytes():
    assert BitsAndBytes.opens({"load_in_8bit": True})
    assert not BitsAndBytes.opens({"load_in_8bit": True, "quant_method": "gptq"})
    assert not BitsAndBytes.opens({})


@pytest.mark.parametrize("kind", ["stored", "named"])
def test_training_all_weights_of_a_quantized_model_is_refused_with_the_way_out(
    small_run, stored, ready, kind
):
    contents = small_run(tuner="full")
    if kind == "stored":
        contents["model"] = stored(quant_method="gptq", bits=4)
    else:
        contents["quantizer"] = "bnb"
    said = said_of(contents)
    assert "cannot go with tuners/full: weights that are held in few bits are too coarse" in said
    assert "Choose a tuner that trains an adapter" in said


def test_every_quantizer_refuses_to_have_its_weights_trained():
    from luthier.core.selection import plugin_of
    from luthier.registry import Catalogue

    for name in Catalogue.installed().names("quantizers"):
        cls = plugin_of(Catalogue.installed().find("quantizers", name))
        assert issubclass(cls, Quantizer)
        assert "trains-base-weights" in {one.trait for one in cls.refuses}, name


def test_another_quantizer_than_that_of_the_stored_weights_is_refused(small_run, stored, ready):
    model = stored(quant_method="gptq", bits=4)
    said = said_of(small_run(tuner="lora", model=model, quantizer="bnb"))
    assert "stored quantized by 'gptq' (its config.json), and 'bnb' would hold them other" in said
    assert "Leave `quantizer` out, or write `quantizer: gptq`." in said


def test_an_option_may_be_set_where_the_model_tells_the_quantizer(small_run, stored, ready):
    contents = small_run(tuner="lora", model=stored(quant_method="gptq", bits=4))
    run = check(contents, ["quantizer.backend=torch"])
    assert run.of("quantizers")[0].plugin.backend == "torch"


def test_a_model_that_is_stored_as_nothing_here_opens_it_is_told(small_run, stored):
    said = said_of(small_run(tuner="lora", model=stored(quant_method="quark")))
    assert "stored quantized by 'quark' (its config.json), which no installed quantizer" in said
    assert "aqlm, awq, bitsandbytes" in said


@pytest.mark.parametrize("missing", [[], ["gptqmodel>=5"]], ids=["installed", "missing"])
def test_a_quantizer_of_stored_weights_is_refused_for_whole_ones(small_run, monkeypatch, missing):
    monkeypatch.setattr("luthier.core.runfile.choosing.missing_packages", lambda cls: missing)
    said = said_of(small_run(tuner="lora", quantizer="gptq"))
    assert ("quantizers/gptq needs gptqmodel>=5, not installed here" in said) == bool(missing)
    assert "'gptq' opens models that are stored so; this one's weights are whole" in said
    assert "choose one that quantizes as it loads: bnb, hqq, torchao" in said


def test_a_package_that_is_missing_is_told_with_the_extra_that_has_it(
    small_run, stored, monkeypatch
):
    monkeypatch.setattr(
        "luthier.core.runfile.choosing.missing_packages", lambda cls: list(cls.packages)
    )
    said = said_of(small_run(tuner="lora", model=stored(quant_method="aqlm")))
    assert "quantizers/aqlm needs aqlm>=1.1.7, not installed here" in said
    assert 'pip install "luthier[aqlm]"' in said


def test_adapters_are_not_laid_one_over_another_on_weights_of_few_bits(small_run, tmp_path, ready):
    adapters = [str(tmp_path / name) for name in ("first", "second")]
    for folder in adapters:
        Path(folder).mkdir()
        (Path(folder) / "adapter_config.json").write_text("{}")
    load = {"model": {"path": "tiny", "adapters": adapters}, "quantizer": "bnb"}
    tree = node_of(load, Place("run"))
    with pytest.raises(BadRunFile) as fault:
        resolve(tree, purpose="inference")
    said = str(fault.value)
    assert "model.adapters: quantizers/bnb holds the weights in few bits" in said
    assert "first would be merged into them" in said
    assert "Merge it into whole weights (`luthier merge" in said
    del tree.mapping["model"].mapping["adapters"].value[0]
    assert len(resolve(tree, purpose="inference").model.adapters) == 1
