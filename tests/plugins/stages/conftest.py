"""What tests of stages share that sample: a small run of one, and its trainer."""

import json

import pytest

from luthier.core.run.execution import _job
from luthier.core.run.folder import RunFolder
from luthier.core.run.program import settled
from luthier.core.wiring import first_answer
from tests.listening import Listener

PROMPTS = [
    {"prompt": f"What is {a} plus {b}?", "answer": str(a + b)} for a in range(8) for b in range(6)
]
REWARD = {"name": "contains", "text": "an"}


@pytest.fixture
def sampled_run(small_run, tmp_path):
    """What makes the contents of a run that samples answers, with changes."""
    file = tmp_path / "prompts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))

    def make(stage="ppo", steps=4, **changes):
        settings = {"max_steps": steps, "batch_size": 4, "log_every": 1, "learning_rate": 2e-3}
        settings |= changes.pop("training", {})
        options = {"name": stage, "max_new_tokens": 8, "minibatch_size": 4}
        if stage != "ppo":
            options["answers"] = 4
        options |= changes.pop("options", {})
        return small_run(
            **{
                "stage": options, "data": [{"path": str(file), "format": "prompts"}],
                "rewards": [REWARD], "tuner": {"name": "lora", "rank": 4}, "training": settings,
                **changes,
            }
        )  # fmt: skip

    return make


@pytest.fixture
def trainer_of():
    """What builds the trainer of a run and trains nothing."""

    def make(contents):
        run = settled(contents)
        folder = RunFolder(run.output)
        folder.path.mkdir(parents=True)
        job, *_ = _job(run, folder, Listener(), None)
        return first_answer(job.manager, "build_trainer", job=job)

    return make
