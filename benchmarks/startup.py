"""How long `luthier --help` takes, beside `python -c "import torch"`, in pairs of one run.

    python benchmarks/startup.py [--pairs N]

Prints the median of each and of their ratio; leaves with 1 where the ratio is a quarter or more.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

LIMIT = 0.25
OURS = [sys.executable, "-m", "luthier.core", "--help"]
TORCH = [sys.executable, "-c", "import torch"]


def main() -> int:
    """Return 0 where help is light."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=9, help="counted pairs, after one warm-up")
    pairs = parser.parse_args().pairs
    measured = [(seconds(OURS), seconds(TORCH)) for _ in range(pairs + 1)][1:]
    ratios = [ours / torch for ours, torch in measured]
    rows = {
        "luthier --help (s)": [ours for ours, _ in measured],
        "import torch (s)": [torch for _, torch in measured],
        "ratio": ratios,
    }
    print(f"{'':<20} {'min':>7} {'median':>7} {'max':>7}   of {pairs} pairs")
    for name, values in rows.items():
        figures = (min(values), statistics.median(values), max(values))
        print(f"{name:<20} " + " ".join(f"{figure:7.3f}" for figure in figures))
    return 0 if statistics.median(ratios) < LIMIT else 1


def seconds(command: list[str]) -> float:
    """Return the wall time of a command, in seconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
