"""What kills training runs: within this process at a chosen point, or a process of its own."""

import json
import pkgutil
import shutil
import signal
import subprocess
import sys
import time

import pytest
import safetensors.torch
import torch

from luthier.core import resume
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
    return [{k: v for k, v in row.items() if k != "tokens_per_second"} for row in rows]


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


def kill_and_resume(run_file, output, delay):
    """Start a training process, kill it `delay` seconds after its first step, and resume it."""
    command = [sys.executable, "-m", "luthier.core", "train", str(run_file), f"output={output}"]
    folder = RunFolder(output)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not folder.metrics.exists() and process.poll() is None:
            assert time.monotonic() < deadline, "the training did not begin"
            time.sleep(0.01)
        time.sleep(delay)
        process.kill()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    return resume(output)
