"""Whether the disk has room is known before the first step."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from luthier.core import train
from luthier.core.errors import BadRunFolder
from luthier.core.run import space
from luthier.core.run.space import shown
from tests.listening import Listener

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch):
    def make(size):
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, size))

    return make


@pytest.fixture
def needed(small_run, free, tmp_path):
    """The bytes that the run is said to need at most."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        original = space.shown
        patch.setattr(space, "shown", lambda size: seen.append(size) or original(size))
        free(0)
        with pytest.raises(BadRunFolder):
            train(small_run(output=str(tmp_path / "measured")))
        free(10**12)
    return seen[0]


def test_a_run_that_the_disk_has_no_room_for_is_refused_with_figures(small_run, free, tmp_path):
    free(1_000_000)
    said = (
        r"the run may write \d+ MB more to .*run, where 1 MB are free: 3 checkpoints of \d+ MB, "
        r"one of them while it is written, and a model of \d+ MB\. Make room, .*checkpoints\.keep"
    )
    with pytest.raises(BadRunFolder, match=said):
        train(small_run())
    assert not (tmp_path / "run").exists()


def test_what_is_written_is_about_what_was_said(small_run, needed, monkeypatch):
    most = []
    original = shutil.rmtree

    def measured(path, **settings):
        most.append(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()))
        original(path, **settings)

    folder = Path(small_run()["output"])
    monkeypatch.setattr(shutil, "rmtree", measured)
    train(small_run())
    most.append(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()))
    assert 0.6 * needed < max(most) <= needed


def test_where_the_disk_will_be_nearly_full_it_is_warned_of(small_run, free, needed):
    free(int(needed * 1.1))
    told = Listener()
    train(small_run(), reporter=told)
    assert any(one.startswith("the disk will be nearly full: the run may") for one in told.warnings)
    free(needed * 2)
    told = Listener()
    train(small_run(), overwrite=True, reporter=told)
    assert told.warnings == []


def test_the_refusal_can_be_turned_into_a_warning(small_run, free):
    free(0)
    told = Listener()
    train(small_run(checkpoints={"every": 2, "require_space": False}), reporter=told)
    assert any("nearly full" in one for one in told.warnings)


def test_a_run_that_is_overwritten_makes_room_for_the_new_one(small_run, free, needed):
    train(small_run())
    free(0)
    with pytest.raises(BadRunFolder, match="Make room"):
        train({**small_run(), "output": small_run()["output"] + "-other"})
    free(int(needed * 0.7))
    assert train(small_run(), overwrite=True).model.is_dir()


def test_sizes_are_told_as_people_read_them():
    assert (shown(0), shown(2_400_000), shown(12_345_000_000)) == ("0 MB", "2 MB", "12.3 GB")
