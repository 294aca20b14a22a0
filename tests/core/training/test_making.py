"""Options that were changed act after a checkpoint is read; what the optimizer knows stays."""

import torch

from luthier.core.sections import ScheduleSection
from luthier.core.training.making import NAMES, made_with, put_back, regrouped
from luthier.core.training.scheduling import scheduled

SHAPES = {"a": 2, "b": 3, "c": 4}


def made(groups, rate, **options):
    """Return named parameters, an optimizer of them, its scheduler, and what it was made with."""
    named = {name: torch.nn.Parameter(torch.ones(size)) for name, size in SHAPES.items()}
    told = [{"params": [named[name] for name in names], **own} for names, own in groups]
    optimizer = torch.optim.AdamW(told, lr=rate, **options)
    scheduler = scheduled(optimizer, "linear", ScheduleSection(), warmup=0, steps=10)
    return named, optimizer, scheduler, made_with(optimizer, named)


def stepped(groups, rate, steps=3):
    named, optimizer, scheduler, told = made(groups, rate)
    for _ in range(steps):
        sum((n + 1) * one.sum() for n, one in enumerate(named.values())).backward()
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    return named, optimizer, scheduler, told


ONE = [("abc", {"weight_decay": 0.0})]
TWO = [("ca", {"weight_decay": 0.1}), ("b", {"weight_decay": 0.0, "lr": 0.5})]


def test_each_parameter_keeps_what_is_known_of_it_in_other_groups():
    named, optimizer, _, before = stepped(ONE, 0.1)
    others, other, _, now = made(TWO, 0.1)
    assert [one[NAMES] for one in now] == [["c", "a"], ["b"]]
    state, known = regrouped(optimizer.state_dict(), before, now)
    other.load_state_dict(state)
    for name, parameter in others.items():
        found, expected = other.state[parameter], optimizer.state[named[name]]
        assert torch.equal(found["exp_avg"], expected["exp_avg"])
        assert found["step"] == 3
    assert [one["weight_decay"] for one in known] == [0.0, 0.0]


def test_changed_options_act_and_the_schedule_stands_at_its_step():
    _, optimizer, scheduler, before = stepped(ONE, 0.1)
    _, other, its_own, now = made(TWO, 0.2, betas=(0.8, 0.99))
    state, known = regrouped(optimizer.state_dict(), before, now)
    other.load_state_dict(state)
    its_own.load_state_dict(scheduler.state_dict())
    put_back(other, its_own, now, known)
    assert [group["weight_decay"] for group in other.param_groups] == [0.1, 0.0]
    assert [group["betas"] for group in other.param_groups] == [(0.8, 0.99)] * 2
    # linear, at step 3 of 10
    assert [round(group["lr"], 9) for group in other.param_groups] == [0.14, 0.35]
    other.step()
    its_own.step()
    assert [round(group["lr"], 9) for group in other.param_groups] == [0.12, 0.3]


def test_without_changes_all_is_as_it_was_read():
    _, optimizer, scheduler, before = stepped(TWO, 0.1)
    _, other, its_own, now = made(TWO, 0.1)
    other.load_state_dict(optimizer.state_dict())
    its_own.load_state_dict(scheduler.state_dict())
    put_back(other, its_own, now, before)
    assert its_own.get_last_lr() == scheduler.get_last_lr()
    for group, expected in zip(other.param_groups, optimizer.param_groups, strict=True):
        plain = [{k: v for k, v in one.items() if k != "params"} for one in (group, expected)]
        assert plain[0] == plain[1]
