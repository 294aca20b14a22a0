"""The learning rate at each step of a run."""

import math

import pytest
import torch

from luthier.core.sections import ScheduleSection
from luthier.core.training.scheduling import scheduled

WARMUP, STEPS = 10, 100


def rates(name, **options):
    """Return the learning rate of each step, and the one that a further step would have."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = scheduled(optimizer, name, ScheduleSection(**options), warmup=WARMUP, steps=STEPS)
    found = []
    for _ in range(STEPS + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ("name", "options", "factor"),
    [
        ("cosine", {}, lambda p: (1 + math.cos(math.pi * p)) / 2),
        ("cosine", {"minimum": 0.1}, lambda p: 0.1 + 0.9 * (1 + math.cos(math.pi * p)) / 2),
        ("cosine-restarts", {"cycles": 3}, lambda p: (1 + math.cos(math.pi * (3 * p % 1))) / 2),
        ("linear", {}, lambda p: 1 - p),
        ("inverse-sqrt", {}, lambda p: math.sqrt(WARMUP / (WARMUP + p * (STEPS - WARMUP)))),
        ("constant", {}, lambda p: 1.0),
    ],
)
def test_a_rate_rises_to_its_highest_and_falls_as_is_said(name, options, factor):
    found = rates(name, **options)
    assert found[:WARMUP] == pytest.approx([2.0 * n / WARMUP for n in range(WARMUP)])
    after = range(WARMUP, STEPS)
    expected = [2.0 * factor((n - WARMUP) / (STEPS - WARMUP)) for n in after]
    assert found[WARMUP:STEPS] == pytest.approx(expected)


def test_wsd_keeps_the_rate_and_falls_to_the_minimum_in_its_last_steps():
    found = rates("wsd", decay=0.2, minimum=0.1)
    assert set(found[WARMUP:80]) == {2.0}
    assert found[90] == pytest.approx(2.0 * (0.1 + 0.9 * (1 - math.sqrt(0.5))))
    assert found[100] == pytest.approx(0.2)


def test_every_scheduler_of_a_run_file_is_one_that_is_made():
    from luthier.core.sections import TrainingSection
    from luthier.core.training.scheduling import SCHEDULERS

    field = TrainingSection.model_fields["scheduler"]
    assert set(field.annotation.__args__) == SCHEDULERS.keys()
