"""A folder is there whole, or as it was before, wherever the writing stops."""

import os
import shutil

import pytest

from luthier.core.errors import BadRunFolder
from luthier.core.run.folder import (
    RunFolder,
    cache_folder,
    discard,
    write_json_whole,
    write_text_whole,
    written_whole,
)


class Killed(BaseException):
    """Stands for a SIGKILL: nothing after it runs, not even `finally`."""


def killing(function, at_call):
    """Return `function`, which kills the process at one of its calls."""
    calls = []

    def wrapped(*args, **kwargs):
        calls.append(args)
        if len(calls) == at_call:
            raise Killed
        return function(*args, **kwargs)

    return wrapped


@pytest.mark.parametrize("there_before", [False, True])
@pytest.mark.parametrize("call", ["fsync", "replace", "open", "close"])
@pytest.mark.parametrize("at_call", [1, 2, 3])
def test_a_folder_whose_writing_is_killed_is_whole_or_absent(
    tmp_path, monkeypatch, there_before, call, at_call
):
    folder = tmp_path / "checkpoint-5"
    if there_before:
        with written_whole(folder) as beside:
            (beside / "a").write_text("old")
            (beside / "b").write_text("old")
    # a killed process cleans nothing up
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, killing(getattr(os, call), at_call))
        try:
            with written_whole(folder) as beside:
                (beside / "a").write_text("new")
                (beside / "b").write_text("new")
        except Killed:
            pass
    found = sorted((p.name, p.read_text()) for p in folder.iterdir()) if folder.exists() else []
    whole = [[("a", "new"), ("b", "new")], [("a", "old"), ("b", "old")]]
    assert found in [*whole, []]


def test_a_writing_that_was_killed_leaves_nothing_in_the_way_of_the_next(tmp_path):
    (tmp_path / ".model.partial").mkdir()
    (tmp_path / ".model.partial" / "rest").write_text("half")
    with written_whole(tmp_path / "model") as beside:
        (beside / "a").write_text("x")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert [p.name for p in (tmp_path / "model").iterdir()] == ["a"]


def test_what_killed_writings_left_in_a_run_folder_is_deleted(tmp_path):
    folder = RunFolder(tmp_path)
    for name in (".checkpoint-2.deleted", ".checkpoint-4.partial", "checkpoint-2"):
        (folder.checkpoints / name).mkdir(parents=True)
        (folder.checkpoints / name / "weights.json").write_text("half")
    (tmp_path / ".manifest.json.partial").write_text("{")
    folder.remove_leftovers()
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")] == [
        "checkpoints", "checkpoints/checkpoint-2", "checkpoints/checkpoint-2/weights.json",
    ]  # fmt: skip


def test_a_folder_whose_run_file_was_half_written_may_be_used(tmp_path):
    (tmp_path / ".run.yaml.partial").write_text("mod")
    RunFolder(tmp_path).require_free()


@pytest.mark.parametrize(("there_before", "stays"), [(False, False), (True, True)])
def test_a_folder_that_was_made_to_be_locked_goes_if_nothing_is_written(
    tmp_path, there_before, stays
):
    folder = RunFolder(tmp_path / "run")
    if there_before:
        folder.path.mkdir()
    with folder.locked():
        assert folder.path.is_dir()
    assert folder.path.exists() == stays
    with folder.locked():
        folder.run_file.write_text("")
    assert folder.run_file.exists()


def test_an_error_in_the_writing_leaves_what_was_there(tmp_path):
    folder = tmp_path / "model"
    with written_whole(folder) as beside:
        (beside / "a").write_text("old")

    def fail():
        with written_whole(folder) as beside:
            (beside / "a").write_text("new")
            raise ValueError("full")

    with pytest.raises(ValueError, match="full"):
        fail()
    assert (folder / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_files_are_replaced_whole(tmp_path):
    file = tmp_path / "x.json"
    write_json_whole(file, {"a": 1})
    write_text_whole(file, "[]")
    assert file.read_text() == "[]"
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_only_complete_checkpoints_are_found_the_oldest_first(tmp_path):
    folder = RunFolder(tmp_path)
    for name in ("checkpoint-10", "checkpoint-9", ".checkpoint-11.partial", "checkpoint-x"):
        (folder.checkpoints / name).mkdir(parents=True)
    assert [p.name for p in folder.existing_checkpoints()] == ["checkpoint-9", "checkpoint-10"]
    discard(folder.checkpoints / "checkpoint-9")
    assert [p.name for p in folder.existing_checkpoints()] == ["checkpoint-10"]


def test_a_folder_that_holds_a_run_is_not_overwritten_unasked(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.require_free()
    folder.model.mkdir(parents=True)
    folder.run_file.write_text("")
    with pytest.raises(BadRunFolder, match="luthier resume"):
        folder.require_free()
    folder.clear()
    assert not any(folder.path.iterdir())


def test_a_folder_of_other_files_is_neither_used_nor_deleted(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    folder = RunFolder(tmp_path)
    with pytest.raises(BadRunFolder, match="no run's"):
        folder.require_free()
    with pytest.raises(BadRunFolder, match="not deleted"):
        folder.clear()
    assert (tmp_path / "thesis.tex").exists()


def test_a_second_process_is_refused(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.locked(), pytest.raises(BadRunFolder, match="another process"), folder.locked():
        raise AssertionError("unreachable")


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("LUTHIER_CACHE", "own"), ("XDG_CACHE_HOME", "own/luthier")],
)
def test_the_cache_folder_is_where_the_environment_says(monkeypatch, tmp_path, variable, expected):
    monkeypatch.delenv("LUTHIER_CACHE", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "own"))
    assert cache_folder() == tmp_path / expected
