"""Loading: where weights go, what they are read from, which revision, and without a network."""

import json
import shutil
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from luthier.core import BadModel, check, load, resume, train
from luthier.core.model.loading import LoadPlan, placement, require_trainable_places
from luthier.core.model.opening import locate, model_spec, open_model
from luthier.core.problems import BadRunFile
from luthier.core.runfile import read_tree
from luthier.plugins.families.tiny.making import tiny_model

IDS = torch.arange(10, 40)[None]
COMMIT, LATER = "a" * 40, "b" * 40


def logits_of(model):
    with torch.no_grad():
        return model.eval()(input_ids=IDS).logits


@pytest.fixture
def folder(tmp_path):
    """A copy of the tiny model, in many shards."""
    from transformers import AutoModelForCausalLM

    copied = shutil.copytree(tiny_model(), tmp_path / "copied")
    model = AutoModelForCausalLM.from_pretrained(copied)
    (copied / "model.safetensors").unlink()
    model.save_pretrained(copied, max_shard_size="400KB")
    assert len([*copied.glob("*.safetensors")]) > 5
    return copied


# --- where weights go ----------------------------------------------------------------------------


def test_a_model_is_built_without_memory_and_filled_from_its_files(small_run, monkeypatch):
    from transformers.models.llama import modeling_llama

    tiny_model()  # made with memory, if it is not there yet
    built, original = [], modeling_llama.LlamaModel.__init__

    def noted(self, config):
        original(self, config)
        built.append({parameter.device.type for parameter in self.parameters()})

    monkeypatch.setattr(modeling_llama.LlamaModel, "__init__", noted)
    model = load("tiny").model
    assert built == [{"meta"}]
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}


def test_what_a_run_file_says_of_places_is_what_the_library_is_asked_for(small_run):
    model = {
        "path": "tiny", "device_map": "balanced", "offload_folder": "spare",
        "max_memory": {"0": "20GiB", "cpu": "60 GB"},
    }  # fmt: skip
    spec = model_spec(check(small_run(model=model)), training=False)
    found = placement(spec, LoadPlan("float32", None, spec.device_map))
    assert found == {
        "device_map": "balanced",
        "max_memory": {0: "20GiB", "cpu": "60 GB"},
        "offload_folder": str(spec.base / "spare"),
    }
    plain = model_spec(check(small_run()), training=False)
    assert placement(plain, LoadPlan("float32", None, plain.device_map)) == {}


def test_a_plugin_that_sets_the_device_map_takes_the_place_of_the_files():
    plan = LoadPlan("float32", None, "auto")
    with plan.owned_by("quantizers/a"):
        plan.device_map = {"": 0}
    assert plan.device_map == {"": 0}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"device_map": "autp"}, "device_map"),
        ({"max_memory": {"cpu": "20 apples"}}, "max_memory"),
        ({"max_memory": {"cpu": 20}}, "max_memory"),
    ],
)
def test_a_place_that_there_is_not_is_refused(small_run, change, said):
    with pytest.raises(BadRunFile, match=f"model.{said}"):
        check(small_run(model={"path": "tiny", **change}))


def test_a_model_is_trained_and_talked_to_where_a_device_map_puts_it(small_run):
    run = train(small_run(model={"path": "tiny", "device_map": "auto"}, tuner="lora"))
    engine = load(run.path)
    assert {parameter.device.type for parameter in engine.model.parameters()} == {"cpu"}
    assert "".join(engine.stream([{"role": "user", "content": "Hello"}]))


@pytest.fixture
def spread(tmp_path):
    """What spreads a model over two megabytes of memory and the disk, as of the command line."""
    spare = f"model.offload_folder={tmp_path / 'spare'}"
    return ["model.device_map=auto", "model.max_memory={cpu: 2MB}", spare]


# accelerate speaks of offloading, in words for its own callers
@pytest.mark.filterwarnings("ignore")
def test_weights_that_memory_has_no_room_for_are_read_from_the_disk(folder, spread):
    family = ["model.family=tiny"]
    expected = logits_of(load(folder, family).model)
    model = load(folder, [*family, *spread]).model
    assert set(model.hf_device_map.values()) == {"cpu", "disk"}
    torch.testing.assert_close(logits_of(model), expected)


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_is_not_laid_on_weights_that_are_on_the_disk(small_run, folder, spread):
    run = train(small_run(model={"path": str(folder), "family": "tiny"}, tuner="lora"))
    with pytest.raises(BadModel, match=r"cannot be laid on such\. Raise `model\.max_memory`"):
        load(run.path, spread)


@pytest.mark.filterwarnings("ignore")
def test_weights_on_the_disk_are_not_trained_and_the_way_out_is_told(small_run, folder, tmp_path):
    model = {
        "path": str(folder), "family": "tiny", "device_map": "auto", "max_memory": {"cpu": "2MB"},
        "offload_folder": str(tmp_path / "spare"),
    }  # fmt: skip
    spec = model_spec(check(small_run(model=model, tuner="lora")), training=True)
    with pytest.raises(BadModel, match=r"leaves weights on the cpu and the disk.*max_memory"):
        open_model(locate(spec), training=True)


def test_a_model_on_two_devices_is_trained_by_one_process_and_refused_to_several(monkeypatch):
    model = torch.nn.Module()
    model.hf_device_map = {"model.layers.0": 0, "model.layers.1": 1}
    require_trainable_places(model)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadModel, match="over 2 devices, and each of 2 processes would do so"):
        require_trainable_places(model)


# --- what weights are read from ------------------------------------------------------------------


class Payload:
    """Writes a file where it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (self.marker, "w"))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin"])
def test_a_pickle_is_never_read_and_the_way_to_safetensors_is_told(folder, tmp_path, name):
    for file in folder.glob("*.safetensors*"):
        file.unlink()
    marker = tmp_path / "marker"
    torch.save({"model.norm.weight": Payload(str(marker))}, folder / name)
    with pytest.raises(BadModel, match=rf"are in {name}, and only safetensors.*save_pretrained\("):
        load(folder, ["model.family=tiny"])
    assert not marker.exists()


def test_a_pickle_beside_safetensors_is_passed_over(folder, tmp_path):
    expected = logits_of(load(folder, ["model.family=tiny"]).model)
    marker = tmp_path / "marker"
    torch.save({"model.norm.weight": Payload(str(marker))}, folder / "pytorch_model.bin")
    assert torch.equal(logits_of(load(folder, ["model.family=tiny"]).model), expected)
    assert not marker.exists()


# --- the Hub's cache, without a network ----------------------------------------------------------


@pytest.fixture
def cached():
    """Put a model into the Hub's cache, as a download would; return its id."""
    from huggingface_hub import constants

    home = Path(constants.HF_HUB_CACHE) / "models--someone--tiny"

    def put(commit, *, without=(), refs=("main",)):
        target = home / "snapshots" / commit
        shutil.copytree(tiny_model(), target, ignore=shutil.ignore_patterns(*without))
        (home / "refs").mkdir(exist_ok=True)
        for ref in refs:
            (home / "refs" / ref).write_text(commit)
        return "someone/tiny"

    yield put
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def hub_run(small_run):
    def contents(path, **model):
        return small_run(
            model={"path": path, "family": "tiny", **model}, tuner="lora", template="chatml"
        )

    return contents


@pytest.mark.parametrize("revision", [None, "main", "v1"])
def test_a_run_keeps_the_commit_that_it_was_trained_on(cached, hub_run, revision):
    name = cached(COMMIT, refs=("main", "v1"))
    run = train(hub_run(name, **({"revision": revision} if revision else {})))
    kept = read_tree(run.run_file).at(("model", "revision"))
    assert kept.value == COMMIT
    assert f"# the commit of {revision or 'the newest revision'}" in run.run_file.read_text()
    assert json.loads(run.manifest.read_text())["settings"]["model.revision"] == COMMIT
    expected = logits_of(load(run.path).model)

    cached(LATER, refs=("main", "v1"), without=("*.safetensors",))  # both names move on
    with pytest.raises(BadModel, match="cannot be loaded"):
        load(name, ["model.family=tiny"])
    assert torch.equal(logits_of(load(run.path).model), expected)


def test_a_run_goes_on_with_the_commit_that_it_was_begun_with(cached, hub_run, monkeypatch):
    from luthier.core.training.recording import Recorder

    class Killed(BaseException):
        pass

    def dying(self, args, state, control, **_):
        if state.global_step == 5:
            raise Killed

    name = cached(COMMIT)
    whole = train({**hub_run(name), "output": str(hub_run(name)["output"]) + "-whole"})
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "on_step_end", dying)
        with pytest.raises(Killed):
            train(hub_run(name))
    cached(LATER, without=("*.safetensors",))
    run = resume(hub_run(name)["output"])
    found, wanted = (load_file(one.model / "adapter_model.safetensors") for one in (run, whole))
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_a_model_that_is_not_in_the_cache_is_told_with_how_to_fetch_it(hub_run):
    with pytest.raises(BadModel) as fault:
        train(hub_run("someone/absent", revision="v2"))
    said = str(fault.value)
    assert "HF_HUB_OFFLINE is set, so that the Hub is not asked" in said
    assert "holds no such model at the revision v2" in said
    assert "`hf download someone/absent`" in said


def test_a_model_whose_weights_are_not_in_the_cache_is_told(cached, hub_run):
    name = cached(COMMIT, without=("*.safetensors",))
    with pytest.raises(BadModel, match=rf"the model {name} cannot be loaded: .*"):
        train(hub_run(name))


def test_a_run_of_the_cache_opens_no_socket(cached, hub_run, monkeypatch):
    def refused(*args, **kwargs):
        raise AssertionError("a socket was opened")

    name = cached(COMMIT)
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    run = train(hub_run(name))
    assert load(run.path).model is not None
