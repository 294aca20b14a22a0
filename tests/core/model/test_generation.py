"""A model's own settings of generation go with it into the model that is saved."""

import json
import shutil

import pytest
from transformers import GenerationConfig

from luthier.core import BadModel, train
from luthier.core.model.generation import settle_generation
from luthier.plugins.families.tiny.making import tiny_model


class Model:
    """What has settings."""

    def __init__(self, **settings):
        self.generation_config = GenerationConfig(**settings)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"temperature": 0.9, "top_p": 0.6}, {"do_sample": True, "temperature": 0.9}),
        ({"do_sample": False, "top_k": 5}, {"do_sample": False, "top_k": None}),
        ({"do_sample": True, "min_p": 0.1}, {"do_sample": True, "min_p": 0.1}),
        ({"pad_token_id": -1}, {"pad_token_id": None}),
        ({"length_penalty": 2.0}, {"do_sample": None, "length_penalty": None}),
        ({"length_penalty": 2.0, "num_beams": 2}, {"length_penalty": 2.0}),
    ],
)
def test_settings_that_transformers_reads_and_does_not_write_are_settled(given, expected):
    model = Model(**given)
    settle_generation(model)
    assert {name: getattr(model.generation_config, name) for name in expected} == expected


@pytest.fixture
def base(tmp_path):
    """The tiny model in a folder, its settings being given ones."""

    def make(**settings):
        copied = shutil.copytree(tiny_model(), tmp_path / "base")
        (copied / "generation_config.json").write_text(json.dumps(settings))
        return str(copied)

    return make


def run_on(small_run, path, **changes):
    training = {"max_steps": 1, "batch_size": 2}
    return small_run(model={"path": path}, training=training, **changes)


@pytest.mark.parametrize("tuner", ["full", "lora"])
def test_a_model_that_says_how_to_sample_and_not_that_it_does_is_saved(base, small_run, tuner):
    path = base(temperature=0.9, top_p=0.6)
    folder = train(run_on(small_run, path, tuner=tuner))
    found = json.loads((folder.model / "generation_config.json").read_text())
    assert (found["do_sample"], found["temperature"], found["top_p"]) == (True, 0.9, 0.6)
    assert json.loads(folder.manifest.read_text())["status"] == "finished"


def test_settings_that_cannot_be_are_told_before_the_first_step(base, small_run):
    contents = run_on(small_run, base(use_cache=False, cache_implementation="static"))
    with pytest.raises(BadModel, match=r"generation_config.json cannot be saved(?s:.)*Mend it"):
        train(contents)
