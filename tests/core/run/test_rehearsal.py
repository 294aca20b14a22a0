"""What cannot be done to a model is told before its weights, or any data, are read."""

import json
import shutil

import pytest

from luthier.core import BadModel, check, train
from luthier.core.data import preparation
from luthier.core.model import opening
from luthier.core.problems import BadRunFile

NEW = {"path": "tiny", "add_tokens": ["<new>"]}
UNTAUGHT = "with tokens that are new to the model: nothing would train their embeddings"


@pytest.fixture
def nothing_is_read(monkeypatch):
    def read(*_, **__):
        raise AssertionError("data or weights were read")

    monkeypatch.setattr(preparation, "prepare", read)
    monkeypatch.setattr(opening, "open_model", read)


@pytest.mark.usefixtures("nothing_is_read")
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tuner": {"name": "lora", "targets": ["q_prj"]}}, r"'q_prj' matches no.*mean 'q_proj'"),
        ({"tuner": {"name": "oft", "targets": "mpl"}}, r"'mpl' matches no layer.*mean 'mlp'"),
        ({"tuner": {"name": "lora", "full": ["nrom"]}}, r"'nrom' matches no.*mean 'norm'"),
        ({"tuner": {"name": "lora", "layers": [9]}}, r"no decoder layer 9: the model has 4\."),
        ({"tuner": {"name": "freeze", "modules": ["mpl"]}}, r"'mpl' matches no layer"),
        ({"tuner": {"name": "freeze", "layers": 9}}, r"the model has 4 decoder layers\. Give"),
        ({"tuner": {"name": "llama-pro", "blocks": 3}}, r"3 new layers cannot be put evenly"),
        ({"tuner": "bitfit"}, r"bitfit has nothing to train.*`tuner: \{name: bitfit, norms"),
        ({"tuner": "full", "optimizer": {"name": "galore", "targets": "mpl"}}, r"'mpl' matches no"),
        ({"tuner": "full", "optimizer": {"name": "muon", "targets": "mpl"}}, r"'mpl' matches no"),
        (
            {"tuner": {"name": "freeze", "modules": "norm"}, "optimizer": "muon"},
            r"no matrix is trai",
        ),
        (
            {"tuner": "freeze", "optimizer": {"name": "galore", "targets": ["embedding"]}},
            r"no matrix is trained of the layers",
        ),
        ({"schedule": {"learning_rates": {"atention": 1e-4}}}, r"mean 'attention'"),
        ({"tuner": {"name": "lora", "rank_pattern": {"mpl": 2}}}, r"'mpl' matches no layer"),
    ],
    ids=str,
)
def test_a_word_that_the_model_has_no_layer_for_is_told_first(small_run, changes, told):
    with pytest.raises(BadModel, match=told):
        train(small_run(**changes))


@pytest.mark.usefixtures("nothing_is_read")
def test_matrices_beside_rows_that_are_new_are_told_first(small_run, tmp_path):
    from luthier.plugins.families.tiny.making import tiny_model

    folder = tmp_path / "untied"
    shutil.copytree(tiny_model(), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    model = {"path": str(folder), "family": "tiny", "add_tokens": ["<new>"]}
    with pytest.raises(BadModel, match=r"rows of new tokens in lm_head are trained already"):
        train(small_run(model=model, tuner={"name": "lora", "targets": ["q_proj", "head"]}))


def test_layers_that_the_tuner_adds_may_be_named(small_run):
    from luthier.core.model.opening import locate, model_spec
    from luthier.core.model.rehearsal import rehearse
    from luthier.core.run.program import settled

    run = settled(small_run(tuner={"name": "llama-pro", "blocks": 2}))
    located = locate(model_spec(run, training=True))
    rehearse(located, ["layers.5.mlp.down_proj"])
    with pytest.raises(BadModel, match=r"'layers\.6\.mlp\.down_proj' matches no layer"):
        rehearse(located, ["layers.6.mlp.down_proj"])


def test_what_the_model_has_is_trained(small_run):
    assert train(small_run(tuner={"name": "lora", "targets": ["q_proj"]})).model.is_dir()


@pytest.mark.parametrize(
    ("changes", "key", "told"),
    [
        ({"quantizer": "bnb", "tuner": {"name": "lora", "init": "pissa"}}, "tuner",
         r"`init: pissa` takes the matrices out of the weights.*few bits cannot hold"),
        ({"quantizer": "bnb", "tuner": {"name": "lora", "init": "olora"}}, "tuner",
         "`init: olora` takes"),
        ({"tuner": {"name": "lora", "init": "loftq"}}, "tuner", r"(?s)what 4 bits take.*: bnb`"),
        ({"quantizer": {"name": "bnb", "bits": 8}, "tuner": {"name": "lora", "init": "loftq"}},
         "tuner", "what 4 bits take"),
        ({"mix": {"streaming": True}, "tuner": {"name": "lora", "init": "eva"}}, "tuner",
         r"(?s)with streamed rows: it looks at all rows.*streaming: false"),
        ({"tuner": {"name": "boft", "factors": 2}}, "tuner", r"(?s)kernel for CUDA.*`factors: 1`"),
        *(({"tuner": tuner, "model": NEW}, "tuner", UNTAUGHT)
          for tuner in ("vera", "oft", "boft", "ia3", "adalora", "prompt-tuning", "llama-pro",
                        {"name": "bitfit", "norms": True})),
        ({"patches": ["freeze-embeddings"], "model": NEW}, "patches.0", UNTAUGHT),
        ({"tuner": "freeze", "model": {"path": "tiny", "dtype": "float16"}}, "tuner",
         r"mixed float16: what is trained is in float32"),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_go_with_an_option_is_told_by_check(
    small_run, changes, key, told, monkeypatch
):
    from luthier.core.runfile import choosing

    monkeypatch.setattr(choosing, "missing_packages", lambda _: [])
    training = {"max_steps": 2}
    with pytest.raises(BadRunFile, match=told) as fault:
        check(small_run(training=training, **changes))
    assert {problem.key for problem in fault.value.problems} == {key}


@pytest.mark.parametrize("tuner", ["lora", "dora", "freeze", "full"])
def test_new_tokens_go_with_what_trains_their_embeddings(small_run, tuner):
    assert check(small_run(tuner=tuner, model=NEW))


@pytest.mark.parametrize("count", [{"num_hidden_layers": 4}, {"text_config": {"n_layer": 4}}, {}])
@pytest.mark.parametrize(
    ("tuner", "key", "told"),
    [
        ({"name": "freeze", "layers": -5}, "tuner.layers", "the model has 4 decoder layers"),
        ({"name": "llama-pro", "blocks": 3}, "tuner.blocks", "one of 1, 2, 4"),
        ({"name": "lora", "layers": [0, 4]}, "tuner.layers", "no decoder layer 4: the model has 4"),
    ],
)
def test_layers_beyond_those_of_the_config_are_told_by_check(
    small_run, tmp_path, count, tuner, key, told
):
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **count}
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    run = small_run(model=str(tmp_path / "model"), tuner=tuner, template="chatml")
    if not count:  # it may have them
        assert check(run)
        return
    with pytest.raises(BadRunFile, match=told) as fault:
        check(run)
    assert [problem.key for problem in fault.value.problems] == [key]
