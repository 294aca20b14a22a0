"""How long `luthier --help` and `luthier check` take, beside `python -c "import torch"`.

    python benchmarks/startup.py [--pairs N]

Prints the median of each, in rounds of one run, and of the ratio of help to torch; leaves with 1
where that is a quarter or more, or where a run file is not judged within a second.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 0.25
CHECK_LIMIT = 1.0
"""Seconds."""
LUTHIER = [sys.executable, "-m", "luthier.core"]
TORCH = [sys.executable, "-c", "import torch"]
RUN = """\
model: tiny
quantizer: bnb
tuner: {name: lora, rank: 16, targets: attention}
optimizer: lora-plus
patches: [neftune, gradient-checkpointing]
data: [{path: rows.jsonl, format: alpaca}]
validation: 0.1
"""
ROW = '{"instruction": "Who?", "output": "I."}\n'


def main() -> int:
    """Return 0 where help and check are light."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=9, help="counted rounds, after one warm-up")
    rounds = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run.yaml").write_text(RUN, encoding="utf-8")
        (folder / "rows.jsonl").write_text(ROW * 20, encoding="utf-8")
        commands = ([*LUTHIER, "--help"], [*LUTHIER, "check", str(folder / "run.yaml")], TORCH)
        measured = [tuple(map(seconds, commands)) for _ in range(rounds + 1)][1:]
    helps, checks, torches = zip(*measured, strict=True)
    ratios = [ours / torch for ours, torch in zip(helps, torches, strict=True)]
    rows = {
        "luthier --help (s)": helps,
        "luthier check (s)": checks,
        "import torch (s)": torches,
        "ratio of help": ratios,
    }
    print(f"{'':<20} {'min':>7} {'median':>7} {'max':>7}   of {rounds} rounds")
    for label, values in rows.items():
        figures = (min(values), statistics.median(values), max(values))
        print(f"{label:<20} " + " ".join(f"{figure:7.3f}" for figure in figures))
    heavy = statistics.median(ratios) >= LIMIT or statistics.median(checks) >= CHECK_LIMIT
    return int(heavy)


def seconds(command: list[str]) -> float:
    """Return the wall time of a command, in seconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
