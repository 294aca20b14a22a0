"""What evaluation during training adds to a run's peak memory, at equal batch size.

The model and the rows of `benchmarks/training.py`; a quarter of the rows is held out, and the model
is evaluated on it every two steps, or not at all. Each run is a process of its own.

    python benchmarks/evaluation.py [--steps 8] [--methods lora dpo]
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

from bare_loops import METHODS, PAIRED
from pairs_and_rows import BATCH, MARKS, kind_of

SIDES = ("without", "with")
ROUNDS = 3


def main() -> None:
    """Print a table, or measure one run."""
    options = argparse.ArgumentParser()
    options.add_argument("--steps", type=int, default=8)
    options.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    options.add_argument("--side", nargs=3, metavar=("SIDE", "METHOD", "FOLDER"))
    given = options.parse_args()
    if given.side:
        side, method, folder = given.side
        print(json.dumps(measured(Path(folder), method, given.steps, evaluated=side == "with")))
        return
    from training import make

    with tempfile.TemporaryDirectory() as name:
        make(Path(name), 2 * given.steps * BATCH)
        print("| method | peak MiB without | with evaluation | ratio |\n|---|---|---|---|")
        for method in given.methods:
            rounds = [
                [told(side, method, name, given.steps) for side in SIDES] for _ in range(ROUNDS)
            ]
            without, among = (statistics.median(one[n] for one in rounds) for n in range(2))
            print(
                f"| {method} | {without:,.0f} | {among:,.0f} | {among / without:.2f} |", flush=True
            )


def told(side: str, method: str, folder: str, steps: int) -> float:
    """Return the peak of one run, measured in a process of its own."""
    command = [sys.executable, __file__, "--steps", str(steps), "--side", side, method, folder]
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", "LUTHIER_CACHE": f"{folder}/cache"}
    out = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    if out.returncode:
        raise SystemExit(f"{side}, {method}:\n{out.stderr[-3000:]}")
    peak: float = json.loads(out.stdout.splitlines()[-1])
    return peak


def measured(folder: Path, method: str, steps: int, *, evaluated: bool) -> float:
    """Train, and return the peak of the process in MiB."""
    from luthier.core import train

    train(
        {
            "model": {"path": str(folder / "model"), "dtype": "float32"}, "template": "chatml",
            "data": [{"path": str(folder / f"{kind_of(method)}.jsonl"), "format": "pretokenized"}],
            "stage": "dpo" if method == PAIRED else "sft", "tuner": METHODS[method],
            "training": {"max_steps": steps, "batch_size": BATCH},
            **({"validation": 0.25, "evaluation": {"every": 2}} if evaluated else {}),
            "plugins": [str(Path(__file__).with_name("watch.py"))],
            "callbacks": [{"name": "watch", "output": str(folder / "seen.json"), "marks": MARKS}],
            "output": str(folder / "run"),
        },
        overwrite=True,
    )  # fmt: skip
    seen = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    return float(seen["peak_mib"])


if __name__ == "__main__":
    main()
