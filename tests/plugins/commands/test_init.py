"""`luthier init` writes a file that can be checked, or says why it cannot."""

import pytest

from luthier.core import LuthierError, check
from luthier.core.errors import UnknownPlugin
from luthier.plugins.commands.init import command


def test_a_place_that_cannot_be_written_is_told_with_its_reason(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "file" / "run.yaml"):
        with pytest.raises(LuthierError, match=r"cannot be written: .*\. Name another file"):
            command(place, force=True)


def test_what_is_written_can_be_checked_when_its_data_is_there(tmp_path, data_file):
    file = tmp_path / "run.yaml"
    command(file)
    data_file.rename(tmp_path / "data.jsonl")
    assert check(file).of("tuners")[0].name == "lora"
    with pytest.raises(LuthierError, match="exists already"):
        command(file)


def test_where_two_packages_give_a_default_it_is_said_how_one_is_chosen(tmp_path, install):
    install("fake-a", {"luthier.defaults": {"tuners": "full"}})
    with pytest.raises(LuthierError, match=r"fake-a and by luthier. Give `--tuner NAME`"):
        command(tmp_path / "run.yaml")
    command(tmp_path / "run.yaml", tuner="full")
    with pytest.raises(UnknownPlugin, match="Did you mean 'lora'"):
        command(tmp_path / "other.yaml", tuner="lroa")


def test_where_two_packages_give_a_default_model_the_file_leaves_the_choice(tmp_path, install):
    install("fake-a", {"luthier.defaults": {"models": "huge", "formats": "other"}})
    command(tmp_path / "run.yaml")
    assert (tmp_path / "run.yaml").read_text().count(" CHOOSE ") == 2


def test_a_default_is_its_own_packages_plugin_in_what_is_written(tmp_path, install):
    install("fake-a", {"luthier.tuners": {"lora": "fake_tuner:Fake"}}, fake_tuner="Fake = 1")
    command(tmp_path / "run.yaml")
    assert "  name: luthier:lora " in (tmp_path / "run.yaml").read_text()
