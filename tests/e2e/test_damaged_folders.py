"""A run folder that something has damaged, and a run that fails: told in words, nothing lost."""

import json
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch

from luthier.core import BadData, load, resume, train
from luthier.core.errors import BadRunFolder, Diverged
from luthier.core.run.folder import RunFolder
from luthier.core.training.checkpoints import newest_whole
from luthier.core.training.recording import Recorder, read_metrics
from luthier.core.training.watch import Watch
from tests.listening import Listener


class Killed(BaseException):
    """Stands for a SIGKILL in this process."""


def killed_after(step, begin):
    def dying(self, args, state, control, **_):
        if state.global_step == step:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "on_step_end", dying)
        with pytest.raises(Killed):
            begin()


@pytest.fixture(scope="module")
def killed(module_run):
    """A run of six steps that was killed when it had its checkpoints 2 and 4."""
    killed_after(5, lambda: train(module_run()))
    return RunFolder(Path(module_run()["output"]))


@pytest.fixture
def folder(killed, tmp_path):
    """A copy of it, which the test may damage."""
    return RunFolder(shutil.copytree(killed.path, tmp_path / "run"))


def cut_short(file):
    file.write_bytes(file.read_bytes()[:-100])


DAMAGE = {
    "a torn skeleton": lambda p: (p / "weights.json").write_text('{"$mapping": [["a"'),
    "tensors cut short": lambda p: cut_short(p / "weights.safetensors"),
    "tensors that are absent": lambda p: (p / "optimizer.safetensors").unlink(),
    "a part that is absent": lambda p: (p / "random.json").unlink(),
    "no step": lambda p: (p / "trainer_state.json").write_text("{}"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_told_and_the_older_one_is_taken(folder, damage):
    newest, older = (folder.checkpoints / f"checkpoint-{n}" for n in (4, 2))
    said = Listener()
    assert newest_whole(folder, said) == newest
    assert said.warnings == []
    DAMAGE[damage](newest)
    assert newest_whole(folder, said) == older
    (warning,) = said.warnings
    assert "checkpoint-4 is damaged" in warning
    assert "goes on from checkpoint-2" in warning
    assert (folder.checkpoints / "damaged-checkpoint-4").is_dir()


def test_a_run_goes_on_from_an_older_checkpoint_to_the_same_weights(folder):
    expected = resume(shutil.copytree(folder.path, folder.path.with_name("sound")))
    cut_short(folder.checkpoints / "checkpoint-4" / "optimizer.safetensors")
    resume(folder.path)
    found, wanted = (
        safetensors.torch.load_file(one.model / "model.safetensors") for one in (folder, expected)
    )
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert [p.name for p in folder.existing_checkpoints()] == ["checkpoint-4", "checkpoint-6"]


def test_a_run_whose_checkpoints_are_all_damaged_is_not_begun_anew_unasked(folder):
    for checkpoint in folder.existing_checkpoints():
        (checkpoint / "optimizer.safetensors").unlink()
    with pytest.raises(BadRunFolder, match=r"checkpoint-4 is damaged \(.*no older.*--overwrite"):
        resume(folder.path)


@pytest.mark.parametrize("text", ["{}", "[]", '{"settings": 3}', "{"])
def test_a_damaged_manifest_is_told_with_what_to_do(folder, text):
    folder.manifest.write_text(text)
    with pytest.raises(BadRunFolder, match=r"manifest.json is not what a run writes.*--overwrite"):
        resume(folder.path)


def test_a_line_that_is_no_metrics_is_told_with_its_number(folder):
    folder.metrics.write_text('{"step": 1, "loss": 2.0}\nnull\n{"step": 2, "lo')
    with pytest.raises(BadRunFolder, match=r"metrics.jsonl:2: this is no line of metrics. Delete"):
        read_metrics(folder)


def test_a_chat_with_an_emptied_model_says_what_is_missing(folder):
    folder.model.mkdir()
    with pytest.raises(BadRunFolder, match=r"model holds neither a config.json nor .*resume"):
        load(folder.path)


PLUGIN = """
from luthier.core import Plugin, hookimpl

class Rest(Plugin):
    '''Train all there is.'''

    @hookimpl
    def attach_adapter(self, model):
        return model

ENTRY_POINTS = {"luthier.tuners": {"rest": Rest}}
"""


def test_a_run_whose_plugin_file_was_changed_is_not_gone_on_with(small_run, tmp_path):
    file = tmp_path / "rest.py"
    file.write_text(PLUGIN)
    contents = small_run(plugins=[str(file)], tuner="rest")
    killed_after(3, lambda: train(contents))
    file.write_text(PLUGIN + "# changed\n")
    with pytest.raises(BadRunFolder, match=r"plugin file rest\.py: \w+ -> \w+"):
        resume(contents["output"], trust_plugins=True)
    file.write_text(PLUGIN)
    assert resume(contents["output"], trust_plugins=True).model.is_dir()


def test_a_run_that_failed_on_its_data_leaves_no_folder(small_run, data_file):
    data_file.write_text('{"instruction": "x", "input": "", "output": ""}\n')
    with pytest.raises(BadData, match="row 1"):
        train(small_run())
    assert not RunFolder(data_file.parent / "run").path.exists()


TOO_FAST = {
    "max_steps": 6, "batch_size": 2, "log_every": 1, "learning_rate": 1e30, "warmup": 0,
    "max_grad_norm": 0,
}  # fmt: skip


def test_a_gradient_that_is_no_number_stops_the_run_before_the_step_is_taken(small_run):
    contents, said = small_run(training=TOO_FAST, checkpoints={"every": 1}), Listener()
    with pytest.raises(
        Diverged, match=r"norm of the gradient is nan in step 2(.|\n)*learning_rate"
    ):
        train(contents, reporter=said)
    assert said.warnings == []
    folder = RunFolder(Path(contents["output"]))
    assert json.loads(folder.manifest.read_text())["status"] == "diverged"
    assert not folder.model.exists()


def test_weights_that_are_no_numbers_never_take_the_place_of_a_checkpoint(small_run, monkeypatch):
    contents = small_run(training=TOO_FAST)
    monkeypatch.setattr(Watch, "on_pre_optimizer_step", lambda *_, **__: None)
    with pytest.raises(Diverged, match="weight holds what is no finite number after step 2"):
        train(contents)
    assert RunFolder(Path(contents["output"])).existing_checkpoints() == []


def test_in_float16_a_step_that_overflows_is_let_pass_once_and_told_at_the_end(
    small_run, monkeypatch
):
    from luthier.core.training.trainer import Trainer

    original, said = Trainer.log, Listener()

    def log(self, logs, start_time=None):
        self.accelerator.scaler = object()  # as training in float16 on a GPU has one
        if self.state.global_step in lost and "loss" in logs:
            self._window.sums[0] = float("nan")
        original(self, logs, start_time)
        self.accelerator.scaler = None

    monkeypatch.setattr(Trainer, "log", log)
    lost = {2, 4}
    train(small_run(), reporter=said)
    assert said.warnings[0] == "the loss of step 2 is nan, which is no finite number"
    assert said.warnings[1].startswith("2 of 6 logged losses are no finite numbers, the first")
    lost = {2, 3}
    with pytest.raises(Diverged, match="after step 3"):
        train(small_run(), overwrite=True)
