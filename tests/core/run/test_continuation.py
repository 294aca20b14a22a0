"""A run that was changed since it began: all differences are told, and may be accepted."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import safetensors.torch

from luthier.core import resume, train
from luthier.core.cli.application import main
from luthier.core.errors import BadRunFolder
from luthier.core.run import continuation
from luthier.core.run.folder import RunFolder
from luthier.core.training.recording import Recorder
from luthier.plugins.families.tiny.making import tiny_model
from tests.listening import Listener


class Killed(BaseException):
    """Stands for a SIGKILL in this process."""


@pytest.fixture
def stopped(small_run, monkeypatch):
    """A run of six steps that was killed behind its checkpoint of step 4."""

    def dying(self, args, state, control, **_):
        if state.global_step == 5:
            raise Killed

    def make(**changes):
        contents = small_run(**changes)
        with monkeypatch.context() as patch:
            patch.setattr(Recorder, "on_step_end", dying)
            with pytest.raises(Killed):
                train(contents)
        return RunFolder(Path(contents["output"]))

    return make


def change(folder, **lines):
    """Give keys of run.yaml other values; each stands there once."""
    text = folder.run_file.read_text()
    for key, value in lines.items():
        text, count = re.subn(rf"^( +{key}:) \S+", rf"\1 {value}", text, flags=re.MULTILINE)
        assert count == 1, key
    folder.run_file.write_text(text)


def metrics_of(folder):
    return [json.loads(line) for line in folder.metrics.read_text().splitlines()]


def test_all_that_has_changed_is_told_at_once(stopped, data_file):
    folder = stopped()
    change(folder, learning_rate="0.5", gradient_accumulation=2, samples=11)
    data_file.write_text(data_file.read_text().replace("It is", "That is"))
    with pytest.raises(BadRunFolder) as refused:
        resume(folder.path)
    said = str(refused.value)
    assert "\n    training.learning_rate: 0.0001 -> 0.5" in said
    assert "\n    training.gradient_accumulation: 1 -> 2" in said
    assert "\n    data.0.samples: not given -> 11" in said
    assert re.search(r"\n    the file rows.jsonl: \w{12} -> \w{12}", said)
    assert f"`luthier resume {folder.path} --accept-changes`" in said
    assert folder.existing_checkpoints()


def test_changed_rows_are_told_with_why(stopped, data_file):
    folder = stopped(validation=3)
    data_file.write_text(data_file.read_text().replace("It is", "That is"))
    with pytest.raises(BadRunFolder) as refused:
        resume(folder.path)
    said = str(refused.value)
    assert re.search(r"the file rows.jsonl: \w{12} -> \w{12}", said)
    assert re.search(r"the rows of data: 9 rows \(\w{12}\) -> 9 rows \(\w{12}\)", said)
    assert re.search(r"the rows of validation: 3 rows \(\w{12}\) -> 3 rows", said)


def test_another_template_is_told_by_its_name_and_what_may_change_is_not(stopped):
    folder = stopped(template="chatml")
    text = folder.run_file.read_text().replace("every: 2", "every: 3")
    folder.run_file.write_text(text.replace('name: "chatml"', "name: vicuna"))
    with pytest.raises(BadRunFolder) as refused:
        resume(folder.path)
    assert "template.name: chatml -> vicuna" in str(refused.value)
    assert "every" not in str(refused.value)


def test_as_many_processes_as_began_it_are_needed(stopped, monkeypatch):
    folder = stopped()
    monkeypatch.setattr(continuation, "world", lambda: 2)
    with pytest.raises(BadRunFolder, match=r"\n    processes: 1 -> 2"):
        resume(folder.path)


def test_a_file_that_changed_without_its_rows_is_no_change(stopped, data_file):
    folder = stopped()
    data_file.write_text(data_file.read_text().replace('"input": "", ', ""))
    assert resume(folder.path).model.is_dir()


def test_changes_that_are_accepted_act_and_are_kept(stopped, data_file):
    folder = stopped()
    change(folder, learning_rate="0.003", max_steps=8, scheduler="constant", weight_decay=0.1)
    data_file.write_text(data_file.read_text().replace("It is", "That is"))
    told = Listener()
    resume(folder.path, accept_changes=True, reporter=told)
    assert "changed since the run began: training.learning_rate: 0.0001 -> 0.003" in told.warnings
    rows = metrics_of(folder)
    assert [row["step"] for row in rows] == list(range(1, 9))
    assert all(row["learning_rate"] == pytest.approx(0.003) for row in rows[4:])
    manifest = json.loads(folder.manifest.read_text())
    assert manifest["steps"] == 8
    (change_,) = manifest["changes"]
    assert "training.max_steps: 6 -> 8" in change_["changed"]
    assert manifest["settings"]["training.learning_rate"] == 0.003


def test_accepted_changes_that_change_nothing_end_as_the_run_would_have(stopped, small_run):
    folder = stopped()
    expected = train(small_run(output=str(folder.path) + "-whole"))
    change(folder, log_every=2)
    resume(folder.path, accept_changes=True)
    assert metrics_of(folder)[-1]["learning_rate"] == metrics_of(expected)[-1]["learning_rate"]
    for name in ("model.safetensors",):
        assert (folder.model / name).read_bytes() == (expected.model / name).read_bytes()


def test_another_optimizer_begins_anew_and_says_so(stopped):
    folder = stopped(optimizer="adamw")
    text = folder.run_file.read_text()
    block = re.compile(r"^optimizer:.*?(?=^\w)", re.DOTALL | re.MULTILINE)
    folder.run_file.write_text(block.sub("optimizer: lion\n", text))
    told = Listener()
    assert resume(folder.path, accept_changes=True, reporter=told).model.is_dir()
    assert any("begins anew" in warning for warning in told.warnings)


def test_what_is_trained_cannot_be_another(stopped):
    folder = stopped(tuner={"name": "lora", "rank": 4})
    change(folder, rank=8)
    with pytest.raises(BadRunFolder, match=r"tuner\.rank: 4 -> 8"):
        resume(folder.path)
    with pytest.raises(BadRunFolder, match=r"checkpoint-4 holds other parameters than this run"):
        resume(folder.path, accept_changes=True)


def test_another_base_under_the_same_path_is_no_base_to_go_on_with(stopped, tmp_path):
    base = shutil.copytree(tiny_model(), tmp_path / "base")
    folder = stopped(model={"path": str(base)}, tuner={"name": "lora", "rank": 4})
    weights = safetensors.torch.load_file(base / "model.safetensors")
    changed = {name: one * 1.01 for name, one in weights.items()}
    safetensors.torch.save_file(changed, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadRunFolder, match=r"\n    the files of the model: \w{12} -> \w{12}"):
        resume(folder.path)
    assert resume(folder.path, accept_changes=True).model.is_dir()
    (change_,) = json.loads(folder.manifest.read_text())["changes"]
    assert change_["changed"][0].startswith("the files of the model")


def test_a_base_that_was_moved_is_the_same_one(stopped, tmp_path):
    base = shutil.copytree(tiny_model(), tmp_path / "base")
    folder = stopped(model={"path": str(base)})
    text = folder.run_file.read_text().replace(str(base), str(base.rename(tmp_path / "moved")))
    folder.run_file.write_text(text)
    assert resume(folder.path).model.is_dir()


def test_another_reference_under_the_same_path_is_told(stopped, small_run, tmp_path):
    other = shutil.copytree(tiny_model(), tmp_path / "other")
    rows = [{"prompt": f"Is it {n}?", "chosen": "Yes.", "rejected": "No."} for n in range(6)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = stopped(
        stage={"name": "dpo", "reference": str(other)}, data=[str(tmp_path / "pairs.jsonl")]
    )
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 1e-4}))
    with pytest.raises(BadRunFolder, match=r"the files of the reference model: \w{12} -> \w{12}"):
        resume(folder.path)


def test_the_command_takes_changes_when_it_is_told_to(stopped, monkeypatch, capsys):
    folder = stopped()
    change(folder, max_steps=7)
    monkeypatch.setattr(sys, "argv", ["luthier", "resume", str(folder.path)])
    with pytest.raises(SystemExit):
        main()
    assert "training.max_steps: 6 -> 7" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["luthier", "resume", str(folder.path), "--accept-changes"])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    assert folder.model.is_dir()
