"""Which installed distributions are read, and what a plugin's import may do."""

import pytest

from luthier.registry import BrokenPlugin, Catalogue
from luthier.registry.errors import UnknownPlugin, nearest

TUNER = {"luthier.tuners": {"fake": "fake_tuner:Fake"}}


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_what_an_interrupted_installation_left_is_passed_over(site):
    for name, metadata in (("none", None), ("empty", "")):
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text(f"[luthier.tuners]\n{name} = x:y\n")
        if metadata is not None:
            (info / "METADATA").write_text(metadata)
    assert not {"none", "empty"} & set(Catalogue.installed().names("tuners"))


def test_a_distribution_that_stands_twice_on_the_path_counts_once(install, site):
    install("fake-a", TUNER, fake_tuner="Fake = 'first'")
    again = site / "fake-a-0.9.dist-info"
    again.mkdir()
    (again / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-a\nVersion: 0.9\n")
    (again / "entry_points.txt").write_text("[luthier.tuners]\nfake = x:y\n")
    assert Catalogue.installed().find("tuners", "fake").version == "1.0"


def test_an_extra_behind_an_entry_point_is_no_part_of_its_address(install):
    install("fake-a", {"luthier.tuners": {"fake": "fake_tuner:Fake [gpu]"}}, fake_tuner="Fake = 7")
    assert Catalogue.installed().find("tuners", "fake").load() == 7


def test_a_module_that_would_end_the_process_is_a_broken_plugin(install):
    install("fake-a", TUNER, fake_tuner="raise SystemExit")
    with pytest.raises(BrokenPlugin, match="is broken: SystemExit"):
        Catalogue.installed().find("tuners", "fake").load()


def test_a_reason_of_several_lines_is_told_in_one(install):
    install("fake-a", TUNER, fake_tuner="raise RuntimeError('one\\n\\ntwo')")
    with pytest.raises(BrokenPlugin) as fault:
        Catalogue.installed().find("tuners", "fake").load()
    assert fault.value.reason == "RuntimeError: one two"


@pytest.mark.parametrize("name", ["LORA", "Lora", "lora_", "lor"])
def test_the_nearest_name_is_found_whatever_its_case(name):
    assert nearest(name, ["full", "lora"]) == "Did you mean 'lora'? "


def test_nothing_is_suggested_where_nothing_is_near():
    assert nearest("dora-the-explorer", ["full", "qux"]) == ""


def test_a_long_list_is_left_to_the_command_that_prints_it():
    fault = UnknownPlugin("families", "lama", [f"llama-{n}" for n in range(200)])
    assert "Installed families: 200, listed by `luthier plugins families`" in fault.remedy
    assert len(str(fault)) < 300
