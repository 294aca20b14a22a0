"""A run file whose plugins leave a hook unanswered is told of before anything is loaded."""

import pytest

from luthier.core import check
from luthier.core.problems import BadRunFile

IDLE = """\
from luthier.core import Plugin, hookimpl

class Idle(Plugin):
    \"\"\"Answers nothing.\"\"\"

class Attaching(Plugin):
    \"\"\"Answers in the place of a tuner.\"\"\"

    @hookimpl
    def attach_adapter(self, model):
        return model

IT = {"idle": Idle, "attaching": Attaching}
KINDS = ("tuners", "stages", "formats", "sources", "patches", "families")
ENTRY_POINTS = {f"luthier.{kind}": IT for kind in KINDS}
"""


@pytest.fixture
def run(tmp_path, small_run):
    """What makes a run with idle plugins at hand."""
    (tmp_path / "idle.py").write_text(IDLE)
    return lambda **changes: small_run(plugins=[str(tmp_path / "idle.py")], **changes)


@pytest.mark.parametrize(
    ("changes", "key", "hooks"),
    [
        ({"tuner": "idle"}, "tuner", "attach_adapter"),
        ({"stage": "idle"}, "stage", "encode_dataset and build_collator and build_trainer"),
        (
            {"model": {"path": "tiny", "family": "idle"}, "template": "chatml"},
            "model.family",
            "locate_model and load_tokenizer and load_model",
        ),
    ],
)
def test_a_plugin_that_leaves_its_hook_unanswered_is_told_at_its_key(run, changes, key, hooks):
    with pytest.raises(BadRunFile) as fault:
        check(run(**changes))
    told = {problem.key: problem for problem in fault.value.problems}
    assert f"/idle does not answer {hooks}, nor does another" in told[key].problem
    assert "Choose another of the" in told[key].remedy


@pytest.mark.parametrize(("key", "hook"), [("source", "open_dataset"), ("format", "align_dataset")])
def test_so_is_one_of_a_dataset(run, data_file, key, hook):
    with pytest.raises(BadRunFile) as fault:
        check(run(data=[{"path": str(data_file), key: "idle"}]))
    (problem,) = fault.value.problems
    assert problem.key == f"data.0.{key}"
    assert f"does not answer {hook}" in problem.problem


def test_another_kind_may_answer_instead(run):
    assert check(run(tuner="idle", patches=["attaching"]))


def test_a_plugin_that_is_wrong_in_another_way_is_told_of_once(run):
    with pytest.raises(BadRunFile) as fault:
        check(run(tuner="idel", stage="idle"))
    assert [problem.key for problem in fault.value.problems] == ["tuner", "stage"]
