"""A training run beside bare loops of PyTorch: real tokens a second, and peak memory.

A model of about 30 million weights is trained on long-tailed rows (about 200 tokens, up to 512), by

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
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from memory import held

BATCH, LONGEST = 4, 512
MEDIAN, SPREAD = 150, 0.8
"""Of the rows: the median of their tokens, and the sigma of their logarithm."""
VOCABULARY, ROWS = 16_000, 1_000
MARKS = VOCABULARY - ROWS
"""Rows begin with an id from here on, each with its own, so that their order can be told."""
SKIPPED = 2
"""Steps at the beginning that are not timed."""
METHODS: dict[str, dict[str, Any]] = {
    "full": {"name": "full"},
    "freeze": {"name": "freeze", "layers": 2},
    "lora": {"name": "lora", "rank": 8, "alpha": 16},
}
ABSENT = {"dpo, lora": "the bare loops have no loss of pairs yet"}
"""What is to be measured, and what it waits for."""
IGNORED = -100
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
        order = told(OURS, given.methods[0], folder, "")["rows"]
        write_rows(folder / "ordered.jsonl", [row_of(number) for number in order])
        for method in given.methods:
            rounds = [
                {side: told(side, method, folder, given.llamafactory) for side in sides}
                for _ in range(given.rounds)
            ]
            print_table(method, rounds)
    for method, what in ABSENT.items():
        print(f"\n{method}\nnot run: {what}")


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
    if side != OURS or (folder / "ordered.jsonl").exists():
        order = [
            json.loads(line)["input_ids"][0] - MARKS for line in (folder / "ordered.jsonl").open()
        ]
        if seen["rows"] != order:
            raise SystemExit(f"{side}, {method}: the rows came in another order")
    timed = seen["rows"][SKIPPED * BATCH :]
    tokens = sum(len(row_of(number)["input_ids"]) for number in timed)
    return {
        **seen, "tokens_per_second": tokens / (seen["ends"][-1] - seen["ends"][SKIPPED - 1]),
        "added_mib": seen["peak_mib"] - before,
    }  # fmt: skip


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
    made = [row_of(number) for number in range(rows)]
    write_rows(folder / "rows.jsonl", made)
    tokens = sum(len(row["input_ids"]) for row in made)
    print(f"{tokens / rows:.0f} tokens a row; torch {torch.__version__}, {torch.get_num_threads()} "
          "thread(s)")  # fmt: skip


def row_of(number: int) -> dict[str, list[int]]:
    """Return a row of a long-tailed length, its first third a prompt."""
    chance = random.Random(number)  # noqa: S311
    size = max(8, min(LONGEST, round(MEDIAN * chance.lognormvariate(0, SPREAD))))
    ids = [MARKS + number, *(chance.randrange(3, MARKS) for _ in range(size - 1))]
    return {"input_ids": ids, "labels": [IGNORED] * (size // 3) + ids[size // 3 :]}


def write_rows(file: Path, rows: list[dict[str, list[int]]]) -> None:
    """Write rows, a line each."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


# --- one side, in a process of its own ------------------------------------------------------------


def measured(side: str, method: str, folder: Path) -> float:
    """Train, and return the MiB that the process held before; the clock writes what it saw."""
    import peft  # noqa: F401 - imported before memory is looked at
    import torch  # noqa: F401
    import transformers  # noqa: F401

    if side == OURS:
        return by_luthier(METHODS[method], folder)
    return by_hand(method, folder, floor=side == FLOOR)


def by_luthier(tuner: dict[str, Any], folder: Path) -> float:
    """Train by a run file, as `luthier train` does."""
    from luthier.core import train
    from luthier.core.run import execution  # noqa: F401

    run = {
        "model": {"path": str(folder / "model"), "dtype": "float32"},
        "data": [{"path": str(folder / "rows.jsonl"), "format": "pretokenized"}],
        "template": "chatml", "tuner": tuner, "training": {"epochs": 1, "batch_size": BATCH},
        "plugins": [str(Path(__file__).with_name("watch.py"))],
        "callbacks": [{"name": "watch", "output": str(folder / "seen.json"), "marks": MARKS}],
        "output": str(folder / "run"),
    }  # fmt: skip
    before = held("cpu")
    train(run, overwrite=True)
    return before


def by_hand(method: str, folder: Path, *, floor: bool) -> float:
    """Train by a bare loop."""
    import torch
    from clock import Clock
    from transformers import AutoModelForCausalLM

    before = held("cpu")
    lines = (folder / "ordered.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    loaded = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32)
    model = tuned(loaded, method).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0, fused=True)
    clock = Clock(folder / "seen.json", MARKS)
    clock.on_train_begin(model=model)
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        loss = floor_loss(loaded, batch) if floor else padded_loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        clock.on_step_end()
    clock.on_train_end(model=model)
    return before


def tuned(model: Any, method: str) -> Any:
    """Return the model with the weights trainable that luthier's tuner would train."""
    options = METHODS[method]
    if method == "freeze":
        model.requires_grad_(requires_grad=False)
        for layer in model.model.layers[-options["layers"] :]:
            layer.requires_grad_(requires_grad=True)
    if method == "lora":
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=options["rank"], lora_alpha=options["alpha"], target_modules="all-linear"
        )
        return get_peft_model(model, config)
    return model


def padded_loss(model: Any, batch: list[dict[str, list[int]]]) -> Any:
    """Return the loss of a padded batch, as the model computes it of labels."""
    import torch

    def padded(key: str, fill: int) -> torch.Tensor:
        rows = [torch.tensor(row[key]) for row in batch]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=fill)

    labels = padded("labels", IGNORED)
    ids, mask = padded("input_ids", 0), (padded("input_ids", -1) >= 0).long()
    return model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss


def floor_loss(loaded: Any, batch: list[dict[str, list[int]]]) -> Any:
    """Return the loss of a batch without pads, each row attending to itself alone.

    Args:
        loaded: the language model, which may have adapters within.
        batch: the rows.
    """
    import torch
    from torch.nn.functional import cross_entropy, scaled_dot_product_attention
    from transformers import AttentionInterface, AttentionMaskInterface

    sizes = [len(row["input_ids"]) for row in batch]

    def by_rows(_: Any, *states: Any, **__: Any) -> tuple[torch.Tensor, None]:
        parts = zip(*(state.split(sizes, dim=2) for state in states[:3]), strict=True)
        rows = [scaled_dot_product_attention(*part, is_causal=True) for part in parts]
        return torch.cat(rows, dim=2).transpose(1, 2), None

    AttentionInterface.register("by_rows", by_rows)
    AttentionMaskInterface.register("by_rows", lambda *_, **__: None)
    loaded.set_attn_implementation("by_rows")
    ids = torch.tensor([[one for row in batch for one in row["input_ids"]]])
    positions = torch.cat([torch.arange(size) for size in sizes])[None]
    targets = torch.tensor([one for row in batch for one in (*row["labels"][1:], IGNORED)])
    trained = targets != IGNORED
    hidden = loaded.model(input_ids=ids, position_ids=positions, use_cache=False)[0][0]
    return cross_entropy(loaded.lm_head(hidden[trained]), targets[trained])


if __name__ == "__main__":
    main()
