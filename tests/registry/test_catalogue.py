"""The registry: names without imports, lazy loading, and answers to a failed look-up."""

import sys

import pytest

from luthier.registry import (
    AmbiguousPlugin,
    BrokenPlugin,
    Catalogue,
    Entry,
    LuthierError,
    UnknownPlugin,
)

TUNER = {"luthier.tuners": {"fake": "fake_tuner:Fake"}}


def test_names_are_listed_and_nothing_is_imported(install):
    install("fake-a", TUNER, fake_tuner="raise RuntimeError('imported')")
    catalogue = Catalogue.installed()
    assert "fake" in catalogue.names("tuners")
    entry = catalogue.find("tuners", "fake")
    assert (entry.distribution, entry.version, entry.target) == ("fake-a", "1.0", "fake_tuner:Fake")
    assert "fake_tuner" not in sys.modules


def test_an_entry_is_imported_when_it_is_asked_for_and_its_attributes_followed(install):
    points = {"luthier.tuners": {"fake": "fake_deep:Outer.inner"}}
    install("fake-a", points, fake_deep="class Outer:\n    inner = 7\n")
    assert Catalogue.installed().find("tuners", "fake").load() == 7


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_package_at_all", "ModuleNotFoundError: No module named"),
        ("x = 1", "AttributeError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("class Fake(:", "SyntaxError"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_explained(install, text, reason):
    install("fake-a", TUNER, fake_tuner=text)
    with pytest.raises(
        BrokenPlugin, match="'fake' among the tuners, of fake-a, is broken"
    ) as fault:
        Catalogue.installed().find("tuners", "fake").load()
    assert reason in fault.value.reason
    assert fault.value.__cause__ is not None


def test_an_unknown_name_is_answered_with_the_nearest_the_installed_and_what_to_do():
    with pytest.raises(UnknownPlugin) as fault:
        Catalogue.installed().find("tuners", "lroa")
    assert "no 'lroa' among the tuners" in fault.value.problem
    assert "Did you mean 'lora'?" in fault.value.remedy
    assert "Installed tuners: adalora, bitfit, boft" in fault.value.remedy
    assert "pip install" in fault.value.remedy


def test_a_misspelt_name_behind_a_distribution_is_answered_with_the_nearest():
    with pytest.raises(UnknownPlugin, match=r"Did you mean 'lora'\?"):
        Catalogue.installed().find("tuners", "luthier:lra")


def test_a_name_of_another_kind_is_told_to_be_one():
    with pytest.raises(UnknownPlugin, match=r"'sft' is one of the stages"):
        Catalogue.installed().find("tuners", "sft")


def test_two_owners_of_a_name_are_both_named_and_one_can_be_chosen(install):
    install("fake-a", TUNER, fake_tuner="Fake = 'a'")
    install("fake-b", {"luthier.tuners": {"fake": "fake_other:Fake"}}, fake_other="Fake = 'b'")
    catalogue = Catalogue.installed()
    with pytest.raises(AmbiguousPlugin, match="offered by fake-a and by fake-b") as fault:
        catalogue.find("tuners", "fake")
    assert "`fake-a:fake` or `fake-b:fake`" in fault.value.remedy
    assert catalogue.find("tuners", "fake-b:fake").load() == "b"
    with pytest.raises(UnknownPlugin):
        catalogue.find("tuners", "fake-c:fake")


def test_a_name_may_stand_in_two_kinds(install):
    points = {"luthier.tuners": {"sft": "fake_tuner:Fake"}}
    install("fake-a", points, fake_tuner="Fake = 1")
    catalogue = Catalogue.installed()
    assert catalogue.find("tuners", "sft").load() == 1
    assert catalogue.find("stages", "sft").distribution == "luthier"
    assert set(catalogue.kinds_of("sft")) == {"stages", "tuners"}


def test_other_packages_entry_points_are_none_of_ours(install):
    install("fake-a", {"pytest11": {"x": "y"}, "luthierish": {"x": "y"}})
    assert all(entry.distribution != "fake-a" for entry in Catalogue.installed())


def test_entries_may_be_added_to_a_catalogue_that_stays_as_it_was():
    catalogue = Catalogue([])
    more = catalogue.adding([Entry("tuners", "x", "file", "x.py", "file", value=3)])
    assert more.find("tuners", "x").load() == 3
    assert catalogue.names("tuners") == []


def test_every_failed_look_up_is_a_fault_that_a_user_can_put_right():
    assert issubclass(UnknownPlugin, LuthierError)
    assert issubclass(AmbiguousPlugin, LuthierError)
    assert issubclass(BrokenPlugin, LuthierError)
