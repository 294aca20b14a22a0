"""A training run beside bare loops of PyTorch: real tokens a second, and peak memory.

A model of about 30 million weights is trained on long-tailed rows (about 200 tokens, up to 512), or
on pairs of such, by

- luthier: a run file, with the patches that are on by default;
- padded: a bare loop on padded batches;
- floor: a bare loop without pads, its head computed only where a label is trained;
- llama-factory: where a Python that has it is named (`benchmarks/llamafactory_training.py`).

All see the same batches in the same order. Each run is a process of its own; the sides of a method
take turns, and of several rounds the median is told, of ratios too.

    python benchmarks/training.py [--steps 24] [--rounds 3] [--llamafactory PYTHON]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bare_loops import BETA, METHODS, PAIRED, by_hand
from memory import held
from pairs_and_rows import (
    BATCH,
    LONGEST,
    MARKS,
    ROWS_OF,
    VOCABULARY,
    kind_of,
    read_rows,
    row_of,
    tokens_of,
    write_rows,
)

SKIPPED = 2
"""Steps at the beginning that are not timed."""
OURS, PADDED, FLOOR, OTHER = "luthier", "padded", "floor", "llama-factory"


def main() -> None:
    """Print a table, or measure one side."""
    options = argparse.ArgumentParser()
    options.add_argument("--steps", type=int, default=24)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    options.add_argument("--llamafactory", metavar="PYTHON", default="")
    options.add_argument("--side", nargs=3, metavar=("SIDE", "METHOD", "FOLDER"))
    given = options.parse_args()
    if given.side:
        side, method, folder = given.side
        print(json.dumps(measured(side, method, Path(folder))))
        return
    sides = [FLOOR, OURS, PADDED, *([OTHER] if given.llamafactory else [])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, given.steps * BATCH)
        # what comes first in a run is known when one has been made
        order = told(OURS, "lora", folder, "")["rows"]
        for kind, row in ROWS_OF.items():
            write_rows(folder / f"ordered-{kind}.jsonl", [row(number) for number in order])
        for method in given.methods:
            rounds = [
                {side: told(side, method, folder, given.llamafactory) for side in sides}
                for _ in range(given.rounds)
            ]
            print_table(method, rounds)


def print_table(method: str, rounds: list[dict[str, dict[str, Any]]]) -> None:
    """Print the figures of a method, the sides in the order in which they were run."""
    print(f"\n{method}: {len(rounds)} round(s)")
    print("| side | tokens/s | of the floor | peak MiB | of the floor | MiB over imports | of it |")
    print("|---|---|---|---|---|---|---|")
    for side in rounds[0]:
        cells = [side]
        for key, digits in (("tokens_per_second", 0), ("peak_mib", 0), ("added_mib", 0)):
            value = statistics.median(one[side][key] for one in rounds)
            ratio = statistics.median(one[side][key] / one[FLOOR][key] for one in rounds)
            cells += [f"{value:,.{digits}f}", f"{ratio:.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def told(side: str, method: str, folder: Path, python: str) -> dict[str, Any]:
    """Return the figures of one side, measured in a process of its own."""
    command = [sys.executable, __file__, "--side", side, method, str(folder)]
    if side == OTHER:
        script = Path(__file__).with_name("llamafactory_training.py")
        command = [python, str(script), method, str(folder), str(MARKS)]
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", "LUTHIER_CACHE": str(folder / "cache")}
    out = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    if out.returncode:
        raise SystemExit(f"{side}, {method}:\n{out.stderr[-3000:]}")
    seen = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    before = json.loads(out.stdout.splitlines()[-1])
    rows = list(dict.fromkeys(seen["rows"]))  # of a pair both answers go in, and the reference's
    if side != OURS or (folder / "ordered-rows.jsonl").exists():
        order = [row["row"] for row in read_rows(folder / f"ordered-{kind_of(method)}.jsonl")]
        if rows != order:
            raise SystemExit(f"{side}, {method}: the rows came in another order")
    timed = rows[SKIPPED * BATCH :]
    tokens = sum(tokens_of(ROWS_OF[kind_of(method)](number)) for number in timed)
    seconds = seen["ends"][-1] - seen["ends"][SKIPPED - 1]
    added = seen["peak_mib"] - before
    return {**seen, "rows": rows, "tokens_per_second": tokens / seconds, "added_mib": added}


# --- what is trained, and on what ----------------------------------------------------------------


def make(folder: Path, rows: int) -> None:
    """Write the model, its tokenizer and the rows."""
    import torch
    from data import model_folder
    from transformers import LlamaConfig, LlamaForCausalLM

    model_folder(folder / "model")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=384, intermediate_size=1024, num_hidden_layers=10,
        num_attention_heads=6, max_position_embeddings=LONGEST, eos_token_id=0, bos_token_id=None,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    print(f"{model.num_parameters() / 1e6:.1f} million weights; {rows} rows, {BATCH} to a step")
    model.save_pretrained(folder / "model")
    for kind, row in ROWS_OF.items():
        write_rows(folder / f"{kind}.jsonl", [row(number) for number in range(rows)])
    tokens = sum(tokens_of(row_of(number)) for number in range(rows))
    print(f"{tokens / rows:.0f} tokens a row; torch {torch.__version__}, {torch.get_num_threads()} "
          "thread(s)")  # fmt: skip


# --- one side, in a process of its own ------------------------------------------------------------


def measured(side: str, method: str, folder: Path) -> float:
    """Train, and return the MiB that the process held before; the clock writes what it saw."""
    import peft  # noqa: F401 - imported before memory is looked at
    import torch  # noqa: F401
    import transformers  # noqa: F401

    if side == OURS:
        return by_luthier(method, folder)
    return by_hand(method, folder, floor=side == FLOOR)


def by_luthier(method: str, folder: Path) -> float:
    """Train by a run file, as `luthier train` does."""
    from luthier.core import train
    from luthier.core.run import execution  # noqa: F401

    run = {
        "model": {"path": str(folder / "model"), "dtype": "float32"},
        "data": [{"path": str(folder / f"{kind_of(method)}.jsonl"), "format": "pretokenized"}],
        "stage": {"name": "dpo", "beta": BETA} if method == PAIRED else "sft",
        "template": "chatml", "tuner": METHODS[method],
        "training": {"epochs": 1, "batch_size": BATCH},
        "plugins": [str(Path(__file__).with_name("watch.py"))],
        "callbacks": [{"name": "watch", "output": str(folder / "seen.json"), "marks": MARKS}],
        "output": str(folder / "run"),
    }  # fmt: skip
    before = held("cpu")
    train(run, overwrite=True)
    return before


if __name__ == "__main__":
    main()
