"""Every run file of examples/ is right, and trains what it says, each from the run before it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from luthier.core import check, train
from luthier.core.run.folder import RunFolder
from luthier.core.training.recording import read_metrics

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
FOUND = sorted(file.relative_to(EXAMPLES).as_posix() for file in EXAMPLES.rglob("*.yaml"))
CHAIN = ("pt", "sft", "rm", "ppo", "dpo")
AFTER_IT = ("grpo", "rloo")


def contents_of(name):
    return YAML(typ="safe").load((EXAMPLES / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FOUND)
def test_an_example_has_no_mistake(name):
    overrides = []
    if "runs/" in str(contents_of(name)["model"]):  # the model of a run before it
        overrides = ["model.path=tiny", "~model.family"]
    assert len(check(EXAMPLES / name, overrides).of("stages")) == 1


@pytest.mark.parametrize("name", FOUND)
def test_what_an_example_begins_with_is_what_another_leaves(name):
    contents = contents_of(name)
    path = contents["model"]["path"] if isinstance(contents["model"], dict) else contents["model"]
    named = [path, *(one["path"] for one in contents.get("rewards", []) if "path" in one)]
    left = {
        contents_of(other)["output"] for other in FOUND if Path(other).parent == Path(name).parent
    }
    assert all(one.removesuffix("/model") in left for one in named if one.startswith("runs/"))


def test_every_example_is_trained_by_a_test():
    rlhf = [f"rlhf/{name}.yaml" for name in (*CHAIN, *AFTER_IT)]
    assert sorted([*rlhf, *ELSEWHERE]) == FOUND
    text = {name: Path(__file__).parent.parent / file for name, file in ELSEWHERE.items()}
    assert all(Path(name).name in file.read_text() for name, file in text.items())


ELSEWHERE = {
    "quickstart.yaml": "e2e/test_quickstart.py", "kto.yaml": "plugins/stages/test_kto.py",
}  # fmt: skip
"""Those that tests of their own train."""


# --- the chain: a minute and more ---------------------------------------------------------------


@pytest.fixture(scope="module")
def rlhf(tmp_path_factory):
    """A copy of examples/rlhf."""
    return shutil.copytree(
        EXAMPLES / "rlhf", tmp_path_factory.mktemp("examples") / "rlhf",
        ignore=shutil.ignore_patterns("runs"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def chain(rlhf):
    """What examples/rlhf/chain.py says when it has run."""
    command = [sys.executable, str(rlhf / "chain.py")]
    done = subprocess.run(command, cwd=rlhf, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows_of(rlhf, stage, *, held_out=False):
    rows = read_metrics(RunFolder(rlhf / "runs" / stage))
    return [row for row in rows if ("validation" in row) == held_out]


def assert_reward_rises(rows, by):
    """The mean reward of the last eight steps is higher than that of the first two."""
    rewards = [row["reward"] for row in rows]
    begun, learned = sum(rewards[:2]) / 2, sum(rewards[-8:]) / 8
    assert learned > begun + by, rewards


@pytest.mark.sweep
def test_kind_answers_are_more_frequent_after_preferences_than_before(chain):
    (told,) = re.findall(r"^kind answers +(\d+)% +(\d+)% +(\d+)% *$", chain, re.MULTILINE)
    before, after_ppo, after_dpo = map(int, told)
    assert before < 60
    assert min(after_ppo, after_dpo) > before + 15
    (seconds,) = re.findall(r"^(\d+) seconds$", chain, re.MULTILINE)
    assert int(seconds) < 600


@pytest.mark.sweep
@pytest.mark.parametrize("stage", CHAIN)
@pytest.mark.usefixtures("chain")
def test_a_run_of_the_chain_learns(rlhf, stage):
    if stage == "ppo":
        assert_reward_rises(rows_of(rlhf, stage), by=1)
    elif stage in {"pt", "sft"}:
        first, *_, last = rows_of(rlhf, stage)
        assert last["loss"] < first["loss"] / 2
    else:  # held-out pairs, before the first step and after the last
        first, *_, last = rows_of(rlhf, stage, held_out=True)
        assert first["step"] == 0
        assert first["accuracy"] < 0.8
        assert last["accuracy"] > 0.9
        assert last["margin"] > first["margin"] + 0.3


@pytest.mark.sweep
@pytest.mark.parametrize("stage", AFTER_IT)
@pytest.mark.usefixtures("chain")
def test_a_verified_reward_rises_after_the_chain(rlhf, stage):
    train(rlhf / f"{stage}.yaml", [f"output={rlhf / 'runs' / stage}"])
    assert_reward_rises(rows_of(rlhf, stage), by=0.1)
