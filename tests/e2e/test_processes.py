"""Two processes that torch's launcher begins train what one does with twice the batch."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import safetensors.torch
import torch

from luthier.core import resume, train
from luthier.core.errors import BadRunFolder
from luthier.core.run.folder import RunFolder

SPY = '''
import json, os
from typing import ClassVar
from luthier.core import Plugin, hookimpl

class Spy(Plugin):
    """Write down which rows each process is given, and whether it prepared them."""

    folder: str
    """Where."""

    serves: ClassVar = "training"

    def tell(self, name, what):
        with open(f"{self.folder}/{name}-{os.environ['RANK']}", "a") as file:
            file.write(json.dumps(what) + chr(10))

    @hookimpl
    def encode_dataset(self, dataset, encoder):
        self.tell("prepared", len(dataset))
        return None

    @hookimpl
    def build_collator(self, tokenizer):
        from luthier.core.training import PaddingCollator

        pad = PaddingCollator.of(tokenizer)

        def told(rows):
            self.tell("rows", [row["input_ids"] for row in rows])
            return pad(rows)

        return told

ENTRY_POINTS = {"luthier.callbacks": {"spy": Spy}}
'''

PROGRAM = """
import os, shutil, sys
from pathlib import Path
import torch
from luthier.core.cli.application import main

def luthier(*words):
    sys.argv = ["luthier", *words]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code
    torch.distributed.barrier()

for kind in ("mapped", "streamed"):
    luthier("train", f"{kind}.json")
    again = Path("again", kind)
    if os.environ["RANK"] == "0":  # as if they had been killed after the second checkpoint
        shutil.copytree(kind, again)
        shutil.rmtree(again / "model")
        shutil.rmtree(again / "checkpoints" / "checkpoint-6")
    torch.distributed.barrier()
    luthier("resume", str(again), "--trust-plugins")

luthier("train", "sampled.json")
"""

KINDS = ("mapped", "streamed")


HELD_OUT = [{"instruction": "Say it.", "output": "so " * n} for n in range(1, 6)]
"""Five rows: two processes cannot share them evenly, nor is a batch full of the last."""


def run_of(module_run, kind, folder, batch_size):
    held_out = folder.parent / "held-out.jsonl"
    held_out.write_text("".join(json.dumps(row) + "\n" for row in HELD_OUT))
    evaluated = {
        "validation": {"path": str(held_out)},
        "evaluation": {"every": 6, "on_start": False},
    }
    return module_run(
        **(evaluated if kind == "mapped" else {}),
        training={
            "max_steps": 6, "batch_size": batch_size, "log_every": 1, "learning_rate": 1e-3,
        },
        mix={"streaming": kind == "streamed", "shuffle_buffer": 5},
        patches=["~padding-free"],  # the rows are seen by a collator that pads them
        output=str(folder),
    )  # fmt: skip


def sampling_run(module_run, folder, batch_size):
    """A run whose answers are one token each, the likeliest, and all of one score."""
    prompts = folder.parent / "prompts.jsonl"
    prompts.write_text("".join(f'{{"prompt": "Say {n}."}}\n' for n in range(13)))
    return module_run(
        stage={"name": "ppo", "max_new_tokens": 1, "temperature": 1e-3, "kl_coefficient": 0},
        data=[{"path": str(prompts), "format": "prompts"}],
        rewards=[{"name": "matches", "pattern": "()"}],  # 1 for any answer
        validation=5,
        evaluation={"every": 2, "batch_size": batch_size},
        training={"max_steps": 2, "batch_size": batch_size, "log_every": 1},
        output=str(folder),
    )


@pytest.fixture(scope="module")
def launched(module_run, tmp_path_factory):
    """The folder in which two processes have trained and resumed a run of each kind."""
    folder = tmp_path_factory.mktemp("launched")
    (folder / "spy.py").write_text(SPY)
    (folder / "program.py").write_text(PROGRAM)
    for kind in KINDS:
        (folder / f"{kind}-seen").mkdir()
        spied = {"name": "spy", "folder": str(folder / f"{kind}-seen")}
        contents = run_of(module_run, kind, folder / kind, 2)
        contents |= {"plugins": ["spy.py"], "callbacks": [spied]}
        (folder / f"{kind}.json").write_text(json.dumps(contents))
    sampled = sampling_run(module_run, folder / "sampled", 2)
    (folder / "sampled.json").write_text(json.dumps(sampled))
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, "-m", *launcher, "program.py"],
        cwd=folder, capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, "LUTHIER_CACHE": str(folder / "cache"), "TORCH_CPP_LOG_LEVEL": "ERROR"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "said").write_text(done.stdout)
    return folder


def weights_of(folder):
    (file,) = folder.joinpath("model").glob("*model.safetensors")
    return safetensors.torch.load_file(file)


def lines_of(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def metrics_of(folder):
    rows = [{**row, "tokens_per_second": 0} for row in lines_of(folder / "metrics.jsonl")]
    return [row for row in rows if "validation" not in row]


def evaluations_of(folder):
    rows = lines_of(folder / "metrics.jsonl")
    return [{**row, "seconds": 0} for row in rows if "validation" in row]


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_what_one_of_twice_the_batch_does(launched, module_run, kind):
    alone = train(run_of(module_run, kind, launched / f"{kind}-alone", 4)).path
    found, expected = weights_of(launched / kind), weights_of(alone)
    assert all(torch.allclose(found[name], expected[name], atol=1e-6) for name in expected)
    for here, there in zip(metrics_of(launched / kind), metrics_of(alone), strict=True):
        assert here["loss"] == pytest.approx(there["loss"], rel=1e-5)
        assert (here["tokens"], here["epoch"]) == (there["tokens"], there["epoch"])


def test_processes_evaluate_each_row_once(launched):
    (found,), (expected,) = (evaluations_of(launched / name) for name in ("mapped", "mapped-alone"))
    assert found["trained_tokens"] == expected["trained_tokens"]
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert evaluations_of(launched / "again" / "mapped") == [found]


def test_processes_tell_of_sampled_answers_what_one_does(launched, module_run):
    alone = train(sampling_run(module_run, launched / "sampled-alone", 4)).path
    for name in ("sampled", "sampled-alone"):
        for held_out in evaluations_of(launched / name):
            assert (held_out["trained_tokens"], held_out["answer_tokens"]) == (5, 1)
            assert (held_out["reward"], held_out["loss"]) == (1, -1)
    here, there = (metrics_of(folder)[0] for folder in (launched / "sampled", alone))
    assert here["trained_tokens"] == there["trained_tokens"] == 4
    assert here["loss"] == pytest.approx(there["loss"], rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_of_processes_are_disjoint_and_together_the_epoch(launched, kind):
    shares = [
        [tuple(ids) for batch in lines_of(launched / f"{kind}-seen" / f"rows-{rank}")
         for ids in batch] for rank in range(2)
    ]  # fmt: skip
    for epoch in range(2):
        first, second = (set(share[6 * epoch : 6 * epoch + 6]) for share in shares)
        assert not first & second
        assert len(first | second) == 12


@pytest.mark.parametrize("kind", KINDS)
def test_processes_go_on_as_if_they_had_never_stopped(launched, kind):
    again, whole = launched / "again" / kind, launched / kind
    found, expected = weights_of(again), weights_of(whole)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert metrics_of(again) == metrics_of(whole)


def test_one_process_prepares_a_dataset_and_the_other_finds_it_done(launched):
    seen = launched / "mapped-seen"
    # of the rows that are trained on, and of those held out, whoever comes first
    rows = sum(sum(lines_of(one)) for one in seen.glob("prepared-*"))
    assert rows == 12 + len(HELD_OUT)
    shared = launched / "streamed-seen"  # each encodes its own rows as they come
    assert len(list(shared.glob("prepared-*"))) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_one_process_writes_and_speaks(launched, kind):
    said = (launched / "said").read_text().splitlines()
    assert sum(line.startswith("run ") and line.endswith(f"/{kind}") for line in said) == 2
    assert sum("step       6/6" in line for line in said) == 4
    steps = [row["step"] for row in metrics_of(launched / kind)]
    assert steps == [1, 2, 3, 4, 5, 6]
    log = (launched / kind / "log.txt").read_text().splitlines()
    assert sum("luthier: finished: 6 steps" in line for line in log) == 1
    manifest = json.loads((launched / kind / "manifest.json").read_text())
    assert manifest["status"] == "finished"
    assert manifest["data"]["read"] == (24 if kind == "streamed" else 12)


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_processes_go_on_as_began_or_others_where_that_is_accepted(
    launched, monkeypatch, tmp_path, kind
):
    folder = RunFolder(shutil.copytree(launched / "again" / kind, tmp_path / kind))
    shutil.rmtree(folder.model)
    shutil.rmtree(folder.checkpoints / "checkpoint-6")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(BadRunFolder, match=r"\n    processes: 2 -> 1\n"):
        resume(folder.path, trust_plugins=True)
    if kind != "streamed":
        assert resume(folder.path, accept_changes=True, trust_plugins=True).model.is_dir()
        return
    with pytest.raises(BadRunFolder, match=r"2, and there are 1 here: each has its own place"):
        resume(folder.path, accept_changes=True, trust_plugins=True)
