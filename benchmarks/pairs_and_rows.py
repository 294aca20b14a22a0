"""The rows of `benchmarks/training.py`, and the pairs of answers: ids of long-tailed lengths."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

BATCH, LONGEST = 4, 512
MEDIAN, SPREAD = 180, 0.8
"""Of the rows: the median of their tokens, and the sigma of their logarithm."""
VOCABULARY, ROWS = 16_000, 1_000
MARKS = VOCABULARY - ROWS
"""Rows begin with an id from here on, each with its own, so that their order can be told."""
IGNORED = -100


def row_of(number: int) -> dict[str, Any]:
    """Return a row of a long-tailed length, its first third a prompt."""
    ids = ids_of(number, number)
    prompt = len(ids) // 3
    return {"row": number, "input_ids": ids, "labels": [IGNORED] * prompt + ids[prompt:]}


def pair_of(number: int) -> dict[str, Any]:
    """Return a pair of answers of long-tailed lengths, the prompt a third of the first."""
    first, other = ids_of(number, number), ids_of(number, number + ROWS)
    prompt = len(first) // 3
    pair: dict[str, Any] = {"row": number}
    for name, ids in (
        ("chosen", first),
        ("rejected", first[:prompt] + other[1 : LONGEST - prompt]),
    ):
        pair[f"{name}_input_ids"] = ids
        pair[f"{name}_labels"] = [IGNORED] * prompt + ids[prompt:]
    return pair


ROWS_OF = {"rows": row_of, "pairs": pair_of}


def kind_of(method: str) -> str:
    """Return what a method is trained on: rows, or pairs of answers."""
    return "pairs" if method == "dpo" else "rows"


def ids_of(number: int, seed: int) -> list[int]:
    """Return so many ids as a row has, which begin with the mark of its number."""
    chance = random.Random(seed)  # noqa: S311
    size = max(8, min(LONGEST, round(MEDIAN * chance.lognormvariate(0, SPREAD))))
    return [MARKS + number, *(chance.randrange(3, MARKS) for _ in range(size - 1))]


def tokens_of(row: dict[str, Any]) -> int:
    """Return how many tokens a row has, or the two answers of a pair."""
    return sum(len(ids) for name, ids in row.items() if name.endswith("input_ids"))


def write_rows(file: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows, a line each."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
