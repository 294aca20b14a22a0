"""Pre-training and supervised fine-tuning learn what a frozen model does not know."""

import json

import pytest

from luthier.core import train
from luthier.core.training.recording import read_metrics

ROWS = [
    {"instruction": f"What is {a} plus {b}?", "input": "", "output": f"It is {a + b}, I think."}
    for a in range(8) for b in range(4)
]  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("stage", ["pt", "sft"])
def test_the_perplexity_of_held_out_rows_falls_against_a_frozen_model(
    small_run, tmp_path, stage, seed
):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    text = {"name": "text", "column": "output"}
    data = [{"path": str(file), **({"format": text} if stage == "pt" else {})}]

    def held_out(name, rate):
        run = small_run(
            stage=stage, data=data, validation=0.25, encoding={"max_length": 64},
            training={
                "max_steps": 16, "batch_size": 4, "learning_rate": rate, "seed": seed,
            },
            output=str(tmp_path / name),
        )  # fmt: skip
        return [row for row in read_metrics(train(run)) if "validation" in row][-1]["loss"]

    learned, frozen = held_out("learned", 3e-3), held_out("frozen", 1e-12)
    assert learned < frozen - 1  # so the perplexity is less than 37 % of what it was
