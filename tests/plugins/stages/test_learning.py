"""Pre-training and supervised fine-tuning learn what a frozen model does not know."""

import json

import pytest

from luthier.core import train
from luthier.core.training.recording import read_metrics

ROWS = [
    {"instruction": f"What is {a} plus {b}?", "input": "", "output": f"It is {a + b}, I think."}
    for a in range(8) for b in range(4)
]  # fmt: skip


FIGURES = {"pt": "loss", "sft": "loss", "dft": "cross_entropy"}
"""What falls, of each: the logarithm of the perplexity."""


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", FIGURES)
def test_the_perplexity_of_held_out_rows_falls_against_a_frozen_model(
    small_run, tmp_path, name, seed
):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    text = {"name": "text", "column": "output"}
    stage = {"name": "sft", "loss": "dft"} if name == "dft" else name
    run = small_run(
        stage=stage, data=[{"path": str(file), **({"format": text} if name == "pt" else {})}],
        validation=0.25, encoding={"max_length": 64},
        training={"max_steps": 16, "batch_size": 4, "learning_rate": 3e-3, "seed": seed},
    )  # fmt: skip
    rows = [row for row in read_metrics(train(run)) if "validation" in row]
    # the model before the first step is the frozen one
    frozen, learned = (row[FIGURES[name]] for row in (rows[0], rows[-1]))
    assert rows[0]["step"] == 0
    assert learned < frozen - 1  # so the perplexity is less than 37 % of what it was
