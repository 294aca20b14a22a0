"""The same run file and the same seed give the same run, to the bit."""

import json

import pytest

from luthier.core import train
from tests.e2e.killing import assert_same_run, metrics_of
from tests.e2e.test_killed_stages import STAGES

PROMPTS = [{"prompt": f"What is {a} plus {b}?"} for a in range(4) for b in range(4)]
LORA = {"name": "lora", "rank": 4, "dropout": 0.1}


@pytest.mark.parametrize("stage", ["sft", "ppo"])
def test_a_run_that_is_begun_again_is_the_same_and_one_of_another_seed_is_not(
    small_run, tmp_path, stage
):
    options = {"tuner": LORA}
    if stage == "ppo":
        file = tmp_path / "prompts.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))
        options |= {**STAGES["ppo"], "data": [{"path": str(file), "format": "prompts"}]}
        del options["format"]

    def run(name, seed):
        training = {"max_steps": 4, "batch_size": 2, "log_every": 1, "seed": seed}
        return train(
            small_run(**options, validation=4, training=training, output=str(tmp_path / name))
        )

    first, again, other = run("first", 1), run("again", 1), run("other", 2)
    assert_same_run(again, first)
    assert metrics_of(other) != metrics_of(first)
