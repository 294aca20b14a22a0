"""A default means the plugin of the package that gives it, whatever else is installed."""

import jsonschema
import pytest

from luthier.core import check
from luthier.core.device import device_named
from luthier.core.problems import BadRunFile
from luthier.core.runfile.schema import run_file_schema
from luthier.core.runfile.writing import annotated


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


# --- defaults of lists ----------------------------------------------------------------------------

PATCH = """
from typing import ClassVar
from luthier.core import Plugin, Refusal, hookimpl
from luthier.core.problems import Finding

class Usual(Plugin):
    \"\"\"A patch that a run has unless it is told otherwise.\"\"\"
    size: int = 1
    \"\"\"Its size.\"\"\"
    traits: ClassVar = frozenset({"usual"})
    no_default: ClassVar = (Refusal("device-mps", "it is slow there", "Name it"),)

    @hookimpl
    def check_model(self, config):
        if config.get("model_type") == "odd":
            yield Finding("", "odd models cannot", "Leave it out.")

class Rival(Plugin):
    \"\"\"A patch that cannot go with it.\"\"\"
    refuses: ClassVar = (Refusal("usual", "it is unusual", "Leave one out"),)

class Beside(Plugin):
    \"\"\"A patch that goes with anything.\"\"\"
"""
H100 = device_named("h100")


@pytest.fixture
def usual(install):
    """A distribution with a default patch, a rival of it, and one that goes with both."""
    patches = {name: f"fake_p:{name.title()}" for name in ("usual", "rival", "beside")}
    points = {"luthier.patches": patches, "luthier.defaults": {"patches.usual": "usual"}}
    install("fake-a", points, fake_p=PATCH)


def resolved(run, device=H100):
    """Return the names of the patches, and the list as it is written, with its origins."""
    run = check(run, device=device)
    written = [
        (node.mapping.get("name", node).value, node.mapping.get("name", node).place.origin)
        for node in run.tree.at(("patches",)).items
    ]
    ours = {"chunked-cross-entropy", "gradient-checkpointing", "padding-free"}
    return (
        [one.name for one in run.of("patches") if one.name not in ours],
        [each for each in written if each[0].removeprefix("~") not in ours],
        run.notes,
    )


@pytest.mark.usefixtures("usual")
def test_a_list_has_its_defaults_beside_what_the_file_names(small_run):
    assert resolved(small_run())[:2] == (["usual"], [("usual", "default")])
    names, written, _ = resolved(small_run(patches=["beside"]))
    assert names == ["beside", "usual"]
    assert written == [("beside", "run"), ("usual", "default")]
    named = small_run(patches=[{"name": "usual", "size": 2}, "beside"])
    assert resolved(named)[0] == ["usual", "beside"]
    assert resolved(small_run(patches=["fake-a:usual"]))[0] == ["usual"]


@pytest.mark.usefixtures("usual")
def test_a_default_is_left_out_by_its_name_with_a_tilde(small_run, tmp_path):
    names, written, _ = resolved(small_run(patches=["~usual", "beside"]))
    assert names == ["beside"]
    assert written == [("~usual", "run"), ("beside", "run")]
    file = tmp_path / "run.yaml"
    file.write_text(f"data: [{tmp_path}/rows.jsonl]\npatches: [~usual, beside]\n")
    assert resolved(file)[0] == ["beside"]
    assert "usual" not in [one.name for one in check(small_run(), ["patches=[~usual]"]).selected]
    with pytest.raises(BadRunFile, match=r"patches\.0: there is no 'usul'.*\n.*mean 'usual'"):
        check(small_run(patches=["~usul"]))


@pytest.mark.usefixtures("usual")
def test_a_default_that_cannot_go_with_what_is_named_is_left_out_and_told(small_run):
    names, written, notes = resolved(small_run(patches=["rival"]))
    said = "patches/rival cannot go with patches/usual: it is unusual"
    assert names == ["rival"]
    assert written == [("rival", "run"), ("~usual", f"default: {said}")]
    assert notes[-1] == f"patches/usual, a default, is left out: {said}"
    with pytest.raises(BadRunFile, match="patches/rival cannot go with patches/usual"):
        check(small_run(patches=["rival", "usual"]))


@pytest.mark.usefixtures("usual")
def test_a_default_is_left_out_where_it_says_that_it_is_none(small_run):
    mps = device_named("mps")
    names, written, notes = resolved(small_run(), mps)
    assert (names, written) == ([], [("~usual", "default: it is slow there")])
    assert not any("usual" in note for note in notes)
    assert resolved(small_run(patches=["usual"]), mps)[0] == ["usual"]


@pytest.mark.usefixtures("usual")
def test_a_default_that_finds_fault_with_the_model_is_left_out(small_run, tmp_path):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_text('{"model_type": "odd"}')
    run = small_run(model={"path": str(tmp_path / "odd"), "family": "auto"}, template="chatml")
    assert resolved(run)[0] == []
    with pytest.raises(BadRunFile, match="odd models cannot"):
        check({**run, "patches": ["usual"]})


@pytest.mark.usefixtures("usual")
def test_a_resolved_file_gives_the_same_run_on_another_device(small_run, tmp_path):
    file = tmp_path / "again.yaml"
    for device in (H100, device_named("mps")):
        first = check(small_run(), device=device)
        file.write_text(annotated(first.tree))
        for other in (H100, device_named("mps")):
            again = check(file, device=other)
            assert [one.name for one in again.selected] == [one.name for one in first.selected]


@pytest.mark.usefixtures("usual")
def test_the_schema_takes_a_name_with_a_tilde_as_the_resolver_does():
    validator = jsonschema.Draft202012Validator(run_file_schema())
    assert not list(validator.iter_errors({"patches": ["~usual", "beside", {"name": "usual"}]}))
    assert list(validator.iter_errors({"patches": ["~usul"]}))
