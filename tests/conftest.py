"""What all tests share: no network, caches of their own, and a small run."""

import gc
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest

# before any library reads them: nothing here may reach a network or the user's own caches
_CACHE = tempfile.TemporaryDirectory(prefix="luthier-tests-")
os.environ |= {
    "LUTHIER_CACHE": f"{_CACHE.name}/luthier",
    "HF_HOME": f"{_CACHE.name}/hf",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # threads that wait for each other make a tiny model many times slower beside other work
    "OMP_NUM_THREADS": "1",
}

ROWS = [
    {
        "instruction": f"What is {n} plus {n}?",
        "input": "",
        "output": f"It is {2 * n}." + " Yes." * n,
    }
    for n in range(1, 13)
]


@pytest.fixture(scope="session", autouse=True)
def plot_loss():
    """What draws the curve of a run; runs draw none, as that takes as long as they do."""
    from luthier.core.training import recording

    with pytest.MonkeyPatch.context() as patch:
        original = recording.plot_loss
        patch.setattr(recording, "plot_loss", lambda folder: None)
        yield original


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Leave out what takes as long as a small run does: to look for garbage among all that is."""
    gc.freeze()
    yield
    gc.collect()  # what the module has left: quickly, as nothing else is looked at
    gc.unfreeze()


def write_rows(file):
    """Write twelve alpaca rows of very different lengths."""
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return file


@pytest.fixture
def data_file(tmp_path):
    """A file of twelve rows, which the test may change."""
    return write_rows(tmp_path / "rows.jsonl")


def run_contents(folder, **changes):
    """Return a run file that trains the tiny model for six steps in a second."""
    return {
        "model": {"path": "tiny"},
        "data": [{"path": str(folder / "rows.jsonl")}],
        "tuner": "full",
        "training": {"max_steps": 6, "batch_size": 2, "log_every": 1},
        "checkpoints": {"every": 2},
        "output": str(folder / "run"),
        **changes,
    }


@pytest.fixture
def small_run(tmp_path, data_file):
    """What makes the contents of a small run file, with changes."""
    return partial(run_contents, tmp_path)


@pytest.fixture(scope="module")
def module_run(tmp_path_factory):
    """As `small_run`, for what a whole module shares."""
    folder = tmp_path_factory.mktemp("module")
    write_rows(folder / "rows.jsonl")
    return partial(run_contents, folder)


@pytest.fixture
def job_of(monkeypatch):
    """Return the job of a run, its model, rows and optimizer as they are before the first step."""
    from luthier.core import train
    from luthier.core.run import execution

    class Begun(Exception):
        """The run is as far as the test wants it."""

    def begun(contents):
        jobs = []
        equip = execution._equip

        def equipping(job, reporter):
            equip(job, reporter)
            jobs.append(job)
            raise Begun

        with monkeypatch.context() as patch:
            patch.setattr(execution, "_equip", equipping)
            with pytest.raises(Begun):
                train(contents)
        return jobs[0]

    return begun


@pytest.fixture
def spec_of(tmp_path):
    """Write rows to a file of the run and return the dataset as the run file declares it."""

    from luthier.core import check

    def make(rows, name="data.jsonl", **declared):
        file = tmp_path / name
        if isinstance(rows, str):
            file.write_text(rows)
        else:
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return check({"data": [{"path": str(file), **declared}]}).data[0]

    return make


@pytest.fixture(scope="session")
def repository():
    """The checkout that the tests stand in."""
    return Path(__file__).parent.parent


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution and its modules on the path, as an installer would.

    Called with the distribution's name, its entry points as {group: {name: target}}, and the
    source texts of its modules by name.
    """

    def installed(name, points, **modules):
        site = tmp_path / "sites" / name
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = []
        for group, offered in points.items():
            lines += [f"[{group}]", *(f"{key} = {target}" for key, target in offered.items()), ""]
        (info / "entry_points.txt").write_text("\n".join(lines))
        for module, text in modules.items():
            (site / f"{module}.py").write_text(text)
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(str(site))

    before = set(sys.modules)
    yield installed
    for name in set(sys.modules) - before:
        if name.startswith("fake_"):
            del sys.modules[name]
