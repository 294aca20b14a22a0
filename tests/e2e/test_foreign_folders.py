"""A folder from elsewhere runs no code; what is in use, or was changed, is refused."""

import json

import pytest

from luthier.core import LuthierError, check, load, resume, train
from luthier.core.device import Device
from luthier.core.run import program
from luthier.core.run.folder import RunFolder

PLUGIN = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
ENTRY_POINTS = {}
"""


@pytest.fixture
def plugin_file(tmp_path):
    """A file that leaves a trace when it is run."""
    file = tmp_path / "evil.py"
    file.write_text(PLUGIN)
    return file


@pytest.mark.parametrize("form", ["plugins: {file}\n", "plugins: [{file}]\n"])
@pytest.mark.parametrize("use", [load, resume], ids=["chat", "resume"])
def test_a_run_folder_runs_its_plugin_files_only_when_trusted(tmp_path, plugin_file, form, use):
    folder = tmp_path / "hostile"
    (folder / "model").mkdir(parents=True)
    (folder / "run.yaml").write_text(form.format(file=plugin_file) + "data: [x.jsonl]\n")
    with pytest.raises(LuthierError, match=r"evil\.py.*--trust-plugins"):
        use(folder)
    assert not (tmp_path / "ran").exists()


def test_a_plugin_file_in_the_folder_of_a_dataset_is_not_run(small_run, tmp_path, data_file):
    (tmp_path / "set").mkdir()
    data_file.rename(tmp_path / "set" / "rows.jsonl")
    (tmp_path / "set" / "evil.py").write_text(PLUGIN)
    run = small_run(
        data=[{"path": f"files:{tmp_path / 'set'}"}], plugins=[str(tmp_path / "set" / "evil.py")]
    )
    with pytest.raises(LuthierError, match="data is never run as code"):
        check(run)
    assert not (tmp_path / "set" / "ran").exists()


def test_a_run_that_is_training_is_not_deleted_by_another(small_run, tmp_path):
    train(small_run())
    folder = RunFolder(tmp_path / "run")
    with folder.locked(), pytest.raises(LuthierError, match="another process is training"):
        train(small_run(), overwrite=True)
    assert folder.model.is_dir()
    assert train(small_run(), overwrite=True).model.is_dir()


@pytest.mark.parametrize("fault", [LuthierError, KeyboardInterrupt])
def test_a_run_is_overwritten_only_when_the_new_one_is_sure_to_begin(
    small_run, tmp_path, monkeypatch, fault
):
    folder = train(small_run())
    before = {path.name for path in folder.path.iterdir()}
    with pytest.raises(LuthierError, match=r"encoding\.max_length is 4"):
        train(small_run(encoding={"max_length": 4}), overwrite=True)

    def stopped(*arguments, **named):
        raise fault

    monkeypatch.setattr("luthier.core.model.opening.open_model", stopped)
    with pytest.raises(fault):
        train(small_run(), overwrite=True)
    assert {path.name for path in folder.path.iterdir()} == before
    monkeypatch.undo()
    assert load(folder.path) is not None
    assert train(small_run(training={"max_steps": 1}), overwrite=True).model.is_dir()
    assert {path.name for path in folder.path.iterdir()} == before


def test_a_lock_alone_does_not_make_a_folder_one_of_other_files(small_run, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()
    assert train(small_run()).model.is_dir()


def test_the_model_is_trained_with_an_earlier_adapter_in_it_wherever_that_is_named(
    small_run, tmp_path
):
    adapter = train(small_run(tuner={"name": "lora", "rank": 4})).model
    for named in ("run/model", str(adapter)):
        file = tmp_path / "run.json"
        more = {"model": {"path": "tiny", "adapters": [named]}, "output": str(tmp_path / "second")}
        file.write_text(json.dumps(small_run(tuner="full", **more)))
        assert check(file).model.adapters == (named,)
        assert train(file, overwrite=True).model.is_dir()
    assert load(tmp_path / "second") is not None


def test_an_adapter_that_is_not_there_is_told_when_the_file_is_checked(small_run):
    with pytest.raises(LuthierError, match=r"nowhere holds no adapter"):
        check(small_run(model={"path": "tiny", "adapters": ["nowhere"]}))


def test_a_run_whose_settings_were_changed_is_not_continued(small_run, monkeypatch, tmp_path):
    def killed(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("luthier.core.model.saving.save_model", killed)
    with pytest.raises(OSError, match="full"):
        train(small_run())
    run_file = tmp_path / "run" / "run.yaml"
    text = run_file.read_text()
    changed = text.replace("learning_rate: 0.0001", "learning_rate: 0.5")
    assert changed != text
    run_file.write_text(changed)
    with pytest.raises(LuthierError, match=r"training\.learning_rate: 0\.0001 -> 0\.5"):
        resume(tmp_path / "run")


def test_the_device_of_torch_is_the_one_that_a_run_is_judged_for(small_run, monkeypatch):
    gpu = Device("cuda", "a GPU that torch has not", 8.0, 80)
    monkeypatch.setattr("luthier.core.runfile.resolving.probe", lambda: gpu)
    assert check(small_run()).dtype == "bfloat16"
    assert train(small_run()).model.is_dir()  # on the CPU, which is what torch has


def test_a_model_of_the_hub_is_served_without_data_or_template(monkeypatch, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(tmp_path))
    run = program.run_to_serve("someone/llama", (), trust_plugins=False)
    assert run.family.name == "llama"
    assert run.data == ()


def test_an_interrupted_run_says_how_it_goes_on(small_run, monkeypatch, tmp_path, caplog):
    from luthier.core.training import Trainer

    original = Trainer.training_step

    def stopped(self, *args, **kwargs):
        if self.state.global_step == 3:
            raise KeyboardInterrupt
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "training_step", stopped)
    with caplog.at_level("INFO"), pytest.raises(KeyboardInterrupt):
        train(small_run())
    assert "at step 3; go on (from step 2) with: luthier resume" in caplog.text
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "interrupted"
    assert "Traceback" not in (tmp_path / "run" / "log.txt").read_text()


def test_a_run_that_fails_before_its_first_step_leaves_nothing_to_resume(small_run, tmp_path):
    with pytest.raises(LuthierError, match="q_porj"):
        train(small_run(tuner={"name": "lora", "targets": ["q_porj"]}))
    assert not (tmp_path / "run" / "run.yaml").exists()
