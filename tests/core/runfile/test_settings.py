"""Settings that do not go with a plugin: a default gives way, and what the file says is told."""

import pytest

from luthier.core import check
from luthier.core.device import KNOWN
from luthier.core.problems import BadRunFile
from luthier.registry import Catalogue

LAYERWISE = {"name": "galore", "layerwise": True}
AVERAGING = """
from typing import ClassVar
from luthier.core import Plugin

class Averaging(Plugin):
    '''Averages weights.'''

    traits: ClassVar = frozenset({"averages-weights"})

ENTRY_POINTS = {"luthier.optimizers": {"averaging": Averaging}}
"""


def problems(contents, **settings):
    with pytest.raises(BadRunFile) as told:
        check(contents, **settings)
    return [(p.key, p.problem, p.remedy) for p in told.value.problems]


def test_a_default_gives_way_and_says_to_what(small_run):
    run = check(small_run(optimizer="lomo"))
    assert run.training.max_grad_norm == 0
    node = run.tree.at(("training", "max_grad_norm"))
    assert (node.value, str(node.place)) == (0.0, "for optimizers/lomo")
    assert any("`training.max_grad_norm` is 0.0: optimizers/lomo" in note for note in run.notes)


def test_a_default_stays_where_nothing_is_against_it(small_run):
    run = check(small_run(optimizer={"name": "galore"}))
    assert (run.training.max_grad_norm, run.training.scheduler) == (1.0, "cosine")
    assert not run.notes


def test_what_the_file_says_is_refused_with_the_reason_and_the_way_out(small_run):
    training = {"gradient_accumulation": 4, "max_grad_norm": 0.5}
    told = problems(small_run(optimizer=LAYERWISE, training=training))
    assert [key for key, _, _ in told] == [
        "training.gradient_accumulation", "training.max_grad_norm",
    ]  # fmt: skip
    (_, said, remedy), _ = told
    assert said == (
        "optimizers/galore cannot go with `gradient_accumulation: 4`: "
        "a gradient is used up in the backward pass that it comes from"
    )
    assert remedy == "Set `training.gradient_accumulation: 1`, or choose another `optimizer`."
    assert check(small_run(optimizer="galore", training=training))


def test_an_average_of_weights_has_no_schedule(small_run, tmp_path):
    (tmp_path / "averaging.py").write_text(AVERAGING)
    silent = small_run(optimizer="averaging", plugins=[str(tmp_path / "averaging.py")])
    assert check(silent).training.scheduler == "constant"
    ((key, said, _),) = problems({**silent, "training": {"scheduler": "linear"}})
    assert key == "training.scheduler"
    assert "takes the place of a schedule" in said


def test_several_processes_are_refused_where_each_would_train_a_model_of_its_own(
    small_run, monkeypatch
):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for optimizer in ("lomo", "badam", LAYERWISE):
        ((key, said, remedy),) = problems(small_run(optimizer=optimizer))
        assert key == "optimizer"
        assert "cannot run in 2 processes: each would train a model of its own" in said
        assert remedy.startswith("Begin one process, or do without optimizers/")
    assert check(small_run(optimizer="galore"))


def test_gradients_that_are_scaled_are_not_stepped_in_the_backward_pass(small_run):
    ((_, said, remedy),) = problems(small_run(optimizer="lomo"), device=KNOWN["v100"])
    assert "cannot run in mixed float16: gradients are scaled there" in said
    assert remedy.startswith("Set `model.dtype: float32`")
    assert check(small_run(optimizer="lomo"), device=KNOWN["a100"])
    here = small_run(optimizer="lomo", model={"path": "tiny", "dtype": "float16"})
    ((_, said, _),) = problems(here)
    assert "cannot run in mixed float16: what is trained is in float32" in said


@pytest.mark.parametrize(
    ("optimizer", "tuner", "said"),
    [
        ("galore", "lora", "saves memory where whole matrices are trained"),
        ("lora-plus", "full", "tells apart the two matrices of each pair"),
        ("lora-plus", "ia3", "the tuner trains no pairs"),
        ("lora-plus", "adalora", "the tuner trains no pairs"),
        ("paged-adamw", "full", "pages move between a GPU and the CPU"),
        ({"name": "adamw-8bit", "paged": True}, "full", "there are no pages on cpu"),
    ],
)
def test_an_optimizer_that_a_run_has_no_use_for_is_refused(small_run, optimizer, tuner, said):
    ((key, problem, remedy),) = problems(small_run(optimizer=optimizer, tuner=tuner))
    assert key.startswith("optimizer")
    assert said in problem
    assert remedy


@pytest.mark.parametrize(
    ("key", "value", "scheduler"), [("minimum", 0.1, "wsd"), ("decay", 0.2, "wsd"),
                                    ("cycles", 3, "cosine-restarts")],
)  # fmt: skip
def test_what_a_scheduler_has_not_is_refused(small_run, key, value, scheduler):
    contents = small_run(schedule={key: value}, training={"scheduler": "linear"})
    ((where, said, remedy),) = problems(contents)
    assert where == f"schedule.{key}"
    assert said == "`training.scheduler: linear` has none"
    assert scheduler in remedy
    assert check({**contents, "training": {"scheduler": scheduler}})


@pytest.mark.parametrize(
    ("schedule", "warmup", "key"),
    [({"decay": 0.5}, 0.6, "schedule.decay"), ({}, 0.95, "training.warmup")],
)
def test_a_warm_up_that_has_not_ended_when_the_rate_is_to_fall_is_refused(
    small_run, schedule, warmup, key
):
    training = {"scheduler": "wsd", "warmup": warmup}
    contents = small_run(schedule=schedule, training=training)
    ((where, said, _),) = problems(contents)
    assert where == key
    assert "the learning rate would never be reached" in said
    assert check({**contents, "training": {**training, "warmup": 0.5}})


SPREAD = """
from typing import ClassVar
from luthier.core import Plugin

class Spread(Plugin):
    '''Spreads a run.'''

    traits: ClassVar = frozenset({{"{trait}"}})

ENTRY_POINTS = {{"luthier.callbacks": {{"spread": Spread}}}}
"""
MATRICES = {"galore", "apollo", "muon", "badam", "adam-mini", "adafactor", "schedule-free", "lomo"}


@pytest.mark.parametrize(
    ("trait", "refused"),
    [
        ("shards-weights", MATRICES),
        ("shards-optimizer", MATRICES),
        ("offloads-optimizer", {*MATRICES, "lion", "adamw-8bit", "paged-adamw"}),
    ],
)
def test_an_optimizer_whose_state_cannot_be_spread_is_refused(small_run, tmp_path, trait, refused):
    file = tmp_path / "spread.py"
    file.write_text(SPREAD.format(trait=trait))
    spread = {"plugins": [str(file)], "callbacks": ["spread"], "patches": ["~padding-free"]}
    names = Catalogue.installed().names("optimizers")
    assert refused < set(names)
    for name in names:
        tuner = "lora" if name == "lora-plus" else "full"
        run = small_run(optimizer=name, tuner=tuner, **spread)
        if name not in refused:
            assert check(run, device=KNOWN["h100"])
            continue
        told = problems(run, device=KNOWN["h100"])
        assert any("cannot go with callbacks/spread" in said for _, said, _ in told), name
