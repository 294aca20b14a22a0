"""What kills training runs: within this process at a chosen point, or a process of its own."""

import json
import multiprocessing
import pkgutil
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch

from luthier.core import resume, train
from luthier.core.run.folder import RunFolder


class Killed(BaseException):
    """Stands for a SIGKILL in this process: what would clean up after it does nothing."""


def weights_of(folder):
    """Return the tensors of a run's model, or of its adapter, and of its value heads."""
    found = {}
    for file in folder.model.glob("*.safetensors"):
        found |= safetensors.torch.load_file(file)
    return found


def metrics_of(folder):
    """Return the logged figures, but for those of time."""
    rows = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    timed = {"tokens_per_second", "seconds"}
    return [{k: v for k, v in row.items() if k not in timed} for row in rows]


def assert_same_run(folder, expected):
    found, wanted = weights_of(folder), weights_of(expected)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert metrics_of(folder) == metrics_of(expected)


def killer(monkeypatch):
    """Return what begins something and kills it at a call of a function; nothing is cleaned up."""

    def died(begin, target, at_call, *, done=False):
        original, remove = pkgutil.resolve_name(target), shutil.rmtree
        calls, dead = [], []

        def dying(*args, **kwargs):
            calls.append(1)
            if len(calls) == at_call:
                dead.append(1)
                if target.endswith("save_state"):  # the half of a file is on the disk
                    args[1].with_suffix(".json").write_text('{"$mapping": [["weigh')
                if done:
                    original(*args, **kwargs)
                raise Killed
            return original(*args, **kwargs)

        def removing(*args, **kwargs):
            if not dead:
                remove(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", removing)
            patch.setattr(target, dying)
            with pytest.raises(Killed):
                begin()

    return died


PROCESSES = multiprocessing.get_context("forkserver")
"""What begins processes that have imported already what takes them seconds."""
PROCESSES.set_forkserver_preload([
    "luthier.core.run.program", "luthier.core.training.trainer", "luthier.plugins.stages.dpo",
    "luthier.plugins.stages.ppo", "luthier.plugins.stages.rollouts", "datasets", "peft",
    "transformers.models.llama.modeling_llama",
])  # fmt: skip

STEPS = 24
"""Of a run that is killed: the last moments are some steps before its end."""
MOMENTS = range(STEPS - 4)


def last_step(folder):
    """Return the last step that has a whole line among the figures, or none."""
    if not folder.metrics.exists():
        return None
    lines = folder.metrics.read_text().split("\n")[:-1]
    return json.loads(lines[-1])["step"] if lines else None


def kill(begin, argument, folder, step, pause):
    """Begin something in a process of its own; kill it `pause` seconds after a step is logged."""
    before = folder.metrics.stat().st_mtime_ns if folder.metrics.exists() else 0
    process = PROCESSES.Process(target=begin, args=(argument,))
    process.start()
    deadline = time.monotonic() + 120
    while process.is_alive():
        reached = last_step(folder)
        begun = reached is not None and folder.metrics.stat().st_mtime_ns > before
        if begun and reached >= step:
            break
        assert time.monotonic() < deadline, "the training did not come so far"
        time.sleep(0.005)
    time.sleep(pause)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it ended before it was killed"


def kill_and_resume(contents, seed, moments=(MOMENTS,)):
    """Train in a process that is killed at a random moment, once in each range, and go on here."""
    drawn = random.Random(seed)
    folder = RunFolder(Path(contents["output"]))
    for number, steps in enumerate(moments):
        begin, argument = (resume, folder.path) if number else (train, contents)
        kill(begin, argument, folder, drawn.choice(steps), drawn.uniform(0, 0.1))
        assert not folder.model.exists()
    return resume(folder.path)


IN_TURN = (MOMENTS[:6], MOMENTS[8:12], MOMENTS[14:])
"""Three kills of one run, each of the process that goes on with it."""
