"""A default means the plugin of the package that gives it, whatever else is installed."""

import pytest

from luthier.core import check
from luthier.core.problems import BadRunFile


def test_a_default_is_its_own_packages_plugin_where_another_has_the_name(small_run, install):
    points = {
        "luthier.tuners": {"lora": "fake_any:Fake"},
        "luthier.stages": {"sft": "fake_any:Fake"},
        "luthier.formats": {"auto": "fake_any:Fake"},
        "luthier.sources": {"files": "fake_any:Fake"},
    }
    install("fake-a", points, fake_any="1 / 0")
    contents = small_run()
    del contents["tuner"]
    run = check(contents)
    (dataset,) = run.data
    chosen = [*run.of("tuners", "stages"), dataset.format, dataset.source]
    assert [one.name for one in chosen] == ["lora", "sft", "auto", "files"]
    assert {one.entry.distribution for one in chosen} == {"luthier"}
    with pytest.raises(BadRunFile, match="Choose one: `fake-a:lora` or `luthier:lora`"):
        check({**contents, "tuner": "lora"})
