"""LLaMA-Factory's side of `benchmarks/training.py`, run by the Python that has it.

The rows are handed over as token ids, in the order in which they are to be trained on.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from clock import Clock
from memory import held

METHODS: dict[str, dict[str, Any]] = {
    "full": {"finetuning_type": "full"},
    "freeze": {"finetuning_type": "freeze", "freeze_trainable_layers": 2},
    "lora": {
        "finetuning_type": "lora", "lora_rank": 8, "lora_alpha": 16, "lora_target": "all",
    },
}  # fmt: skip
METHODS["dpo"] = METHODS["lora"]


def main() -> None:
    """Train, and print the MiB that the process held before; the clock writes what it saw."""
    method, name, marks = sys.argv[1:]
    folder = Path(name)
    import peft  # noqa: F401 - imported before memory is looked at
    from datasets import Dataset, DatasetDict
    from llamafactory.train.tuner import run_exp

    paired = method == "dpo"
    with (folder / f"ordered-{'pairs' if paired else 'rows'}.jsonl").open(
        encoding="utf-8"
    ) as lines:
        rows = [json.loads(line) for line in lines]
    whole = [with_masks(row) for row in rows]
    DatasetDict({"train": Dataset.from_list(whole)}).save_to_disk(folder / "tokenized")
    before = held("cpu")
    run_exp(
        {
            "stage": "dpo" if paired else "sft", "pref_beta": 0.1, "do_train": True,
            "model_name_or_path": str(folder / "model"),
            "tokenized_path": str(folder / "tokenized"), "dataset": "rows", "template": "chatml",
            "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1,
            "num_train_epochs": 1, "learning_rate": 1e-4, "lr_scheduler_type": "cosine",
            "disable_shuffling": True, "disable_gradient_checkpointing": True, "use_cpu": True,
            "output_dir": str(folder / f"other-{method}"), "overwrite_output_dir": True,
            "save_strategy": "no", "report_to": "none", "logging_steps": 10, **METHODS[method],
        },
        callbacks=[Clock(folder / "seen.json", int(marks))],
    )  # fmt: skip
    print(json.dumps(before))
    sys.stdout.flush()
    os._exit(0)  # what it began in the background does not matter here


def with_masks(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row, or a pair of answers, with the attention mask of each."""
    masks = {
        name.replace("input_ids", "attention_mask"): [1] * len(ids)
        for name, ids in row.items() if name.endswith("input_ids")
    }  # fmt: skip
    nothing = dict.fromkeys(("images", "videos", "audios"))  # which its collator of pairs asks for
    return {**{name: one for name, one in row.items() if name != "row"}, **masks, **nothing}


if __name__ == "__main__":
    main()
