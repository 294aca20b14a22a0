"""Tuning methods beside each other, as the paper's Table 3 has them, and where their bytes go.

Each method is trained by a run file, in a process of its own, on the same text; told are the
weights that it trains, the peak of memory, tokens a second, and the perplexity of that text
afterwards.

On a CPU the model is one of 30 million weights. With `--shape` it is of the size of one of the
paper's, its weights random, and all else as the paper's section D.1 says: bfloat16, AdamW with
moments of 8 bits, gradient checkpointing, flash attention, 512 tokens to a step.

    python benchmarks/methods.py [--tokens 16384] [--methods full lora]
    python benchmarks/methods.py --shape llama2-7b --tokens 400000
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from accounting import SHAPES, TERMS, bytes_of, papers, told, trained
from memory import MIB

BLOCK = 512
"""Tokens of a step, in one row."""
SKIPPED = 2
"""Steps at the beginning that are not timed."""
LAYERS = 3
METHODS = ("baseline", "full", "freeze", "galore", "lora", "qlora")
SMALL = "30m"
PACKAGES = {"qlora": ["bitsandbytes"]}
"""What a method needs; with a shape of the paper all need it."""


def main() -> None:
    """Print the tables, or measure one method."""
    options = argparse.ArgumentParser()
    options.add_argument("--shape", default=SMALL, choices=SHAPES)
    options.add_argument("--tokens", type=int, default=16_384)
    options.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    options.add_argument("--folder", help="keep the model and the runs here")
    options.add_argument("--side", choices=METHODS)
    given = options.parse_args()
    if given.side:
        print(json.dumps(measured(given.side, given.shape, Path(given.folder))))
        return
    print_papers()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(given.folder or name)
        make(folder, given.shape, given.tokens)
        print(f"\n{given.shape}, {given.tokens:,} tokens, {settings_of(given.shape)}")
        print("| method | trained | peak MiB | tokens/s | PPL |\n|---|---|---|---|---|")
        found = {method: one(method, given.shape, folder) for method in given.methods}
    if any(found.values()):
        print_kernels([figures for figures in found.values() if figures])
    print_bytes({method: figures for method, figures in found.items() if figures}, given.shape)
    if failed := [method for method, figures in found.items() if figures == {}]:
        raise SystemExit(f"failed: {', '.join(failed)}")


def one(method: str, shape: str, folder: Path) -> dict[str, Any] | None:
    """Print the row of a method, measured in a process of its own; return its figures.

    None where it is not to be run here, or does not fit; none at all where it failed.
    """
    needed = ["bitsandbytes"] if shape != SMALL else PACKAGES.get(method, [])
    absent = [package for package in needed if find_spec(package) is None]
    if absent:
        print(f"| {method} | not run: {', '.join(absent)} | | | |")
        return None
    command = [sys.executable, __file__, "--shape", shape, "--side", method]
    command += ["--folder", str(folder)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "LUTHIER_CACHE": str(folder / "cache")}
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if out.returncode:
        fault = (out.stderr.splitlines() or ["no word of it"])[-1]
        told = "out of memory" if "OutOfMemoryError" in out.stderr else fault
        print(f"| {method} | not run: {told} | | | |", flush=True)
        if told != fault:
            return None
        print(out.stderr[-3000:], file=sys.stderr)
        return {}
    figures: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    if method == "baseline":
        print(f"| {method} | / | / | / | {figures['perplexity']:.2f} |", flush=True)
        return None
    ends = figures["ends"]
    speed = BLOCK * (len(ends) - SKIPPED) / (ends[-1] - ends[SKIPPED - 1])
    print(
        f"| {method} | {figures['trained']:,} | {figures['peak_mib']:,.0f} | {speed:,.0f} "
        f"| {figures['perplexity']:.2f} |", flush=True,
    )  # fmt: skip
    return figures


# --- where the bytes go ---------------------------------------------------------------------------


def print_papers() -> None:
    """Print the paper's 18, 8 and 0.6 bytes of a weight, term by term."""
    print("Bytes of a weight of Llama2-7B, by arithmetic")
    print_head("")
    for name, terms in papers(SHAPES["llama2-7b"]).items():
        print(f"| {name} | {told(terms)} |")


def print_bytes(found: dict[str, dict[str, Any]], shape: str) -> None:
    """Print the bytes of a weight that were predicted and those that the run's tensors had."""
    sizes = SHAPES[shape]
    small = shape == SMALL
    print(f"\nBytes of a weight of {shape}, without activations")
    print_head("method ")
    for method, figures in found.items():
        predicted = bytes_of(
            sizes, method, width=4 if small else 2, rank=rank_of(shape), layers=LAYERS,
            bits=32 if small else 8,
        )  # fmt: skip
        if figures["trained"] != trained(sizes, method, rank=rank_of(shape), layers=LAYERS):
            raise SystemExit(f"{method}: {figures['trained']:,} weights were trained")
        counted = {term: size / sizes.weights for term, size in figures["bytes"].items()}
        print(f"| {method}, predicted | {told(predicted)} |")
        print(f"| {method}, of its tensors | {told(counted)} |")
        peak = figures["peak_mib"] * MIB / sizes.weights
        print(f"| {method}, peak of memory | | | | | | {peak:.2f} |")


def print_kernels(found: list[dict[str, Any]]) -> None:
    """Print by which kernels the runs computed attention, forward and backward."""
    kernels = {name for figures in found for name in figures["kernels"]}
    print(f"\nKernels of attention: {', '.join(sorted(kernels)) or 'none, but matrix products'}")


def print_head(first: str) -> None:
    """Print the head of a table of terms."""
    print(f"| {first}| {' | '.join(TERMS)} | sum |\n|---|{'---|' * (len(TERMS) + 1)}")


# --- what is trained, on what, and how ------------------------------------------------------------


def rank_of(shape: str) -> int:
    """Return the rank of LoRA and GaLore: the paper's, or as much of a small model's width."""
    return 16 if shape == SMALL else 128


def flash() -> str:
    """Return by what attention is computed: flash attention's package, or what SDPA chooses."""
    return "flash-attn" if find_spec("flash_attn") else "SDPA (its kernels are told below)"


def settings_of(shape: str) -> str:
    """Return in words what all runs of a shape share."""
    rank = f"rank {rank_of(shape)}, freeze the last {LAYERS} layers, {BLOCK} tokens a step"
    if shape == SMALL:
        return f"float32 on a CPU, AdamW, {rank}"
    return f"bfloat16, 8-bit AdamW, checkpointing, attention by {flash()}, {rank}"


def run_of(method: str, shape: str, folder: Path) -> dict[str, Any]:
    """Return the run file of a method."""
    small, rank = shape == SMALL, rank_of(shape)
    low_rank = {"name": "lora", "rank": rank, "alpha": 2 * rank}
    galore = {"name": "galore", "rank": rank, "scale": 2.0, "layerwise": True}
    tuner = {"freeze": {"name": "freeze", "layers": LAYERS}, "lora": low_rank, "qlora": low_rank}
    plain = {"name": "adamw" if small else "adamw-8bit"}
    patches = [] if small else ["gradient-checkpointing"]
    if not small and find_spec("flash_attn"):
        patches.append("flash-attention")
    return {
        "model": {"path": str(folder / "model"), "dtype": "float32" if small else "bfloat16"},
        "data": [{"path": str(folder / "text.jsonl"), "format": "text"}],
        "encoding": {"max_length": BLOCK}, "stage": "pt", "template": "chatml",
        "tuner": tuner.get(method, {"name": "full"}), "patches": patches,
        "optimizer": {**galore, "bits": 32 if small else 8} if method == "galore" else plain,
        **({"quantizer": {"name": "bnb", "bits": 4}} if method == "qlora" else {}),
        "training": {
            "epochs": 1, "batch_size": 1, "precision": "mixed" if small else "pure",
            # the paper's is for weights that know something
            "learning_rate": 1e-3 if small else 1e-5,
        },
        "plugins": [str(Path(__file__).with_name("watch.py"))],
        "callbacks": [{"name": "watch", "output": str(folder / "seen.json"), "marks": 10**9,
                       "kernels": True}],
        "output": str(folder / method),
    }  # fmt: skip


def make(folder: Path, shape: str, tokens: int) -> None:
    """Write a random model of a shape, a tokenizer, and a text."""
    from random import Random

    import torch
    from data import corpus, model_folder, said
    from transformers import AutoTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    model_folder(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    words, chance, count = corpus(), Random(0), 0  # noqa: S311
    with (folder / "text.jsonl").open("w", encoding="utf-8") as out:
        while count < tokens:
            text = said(words, chance, 200)
            count += len(tokenizer(text)["input_ids"])
            out.write(json.dumps({"text": text}) + "\n")
    torch.manual_seed(0)
    device = "cpu" if shape == SMALL else "cuda"
    dtype = torch.float32 if shape == SMALL else torch.bfloat16
    with torch.device(device):
        model_of(shape, dtype).save_pretrained(folder / "model")


def model_of(shape: str, dtype: Any) -> Any:
    """Return a model of a shape, its weights random."""
    from transformers import AutoModelForCausalLM, GemmaConfig, LlamaConfig

    sizes = SHAPES[shape]
    kind = GemmaConfig if shape.startswith("gemma") else LlamaConfig
    config = kind(
        vocab_size=sizes.vocabulary, hidden_size=sizes.hidden, num_hidden_layers=sizes.layers,
        intermediate_size=sizes.intermediate, num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.shared, head_dim=sizes.size, tie_word_embeddings=sizes.tied,
        max_position_embeddings=BLOCK, bos_token_id=None, eos_token_id=0, pad_token_id=None,
    )  # fmt: skip
    model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype)
    if model.num_parameters() != sizes.weights:
        raise SystemExit(f"{shape}: {model.num_parameters():,} weights")
    return model


# --- one method, in a process of its own ----------------------------------------------------------


def measured(method: str, shape: str, folder: Path) -> dict[str, Any]:
    """Train, and return what the clock saw, with the perplexity of the text afterwards."""
    from luthier.core import load, train

    if method == "baseline":
        return {"perplexity": perplexity(load(folder / "model"), folder)}
    run = train(run_of(method, shape, folder), overwrite=True)
    figures: dict[str, Any] = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    return {**figures, "perplexity": perplexity(load(run.path, trust_plugins=True), folder)}


def perplexity(opened: Any, folder: Path) -> float:
    """Return e to the mean loss of the text's tokens, in blocks."""
    import torch

    model = opened.model.eval()
    losses = []
    for ids in blocks(opened.tokenizer, folder):
        batch = torch.tensor([ids], device=next(model.parameters()).device)
        with torch.no_grad():
            losses.append(model(input_ids=batch, labels=batch).loss.item())
    return math.exp(sum(losses) / len(losses))


def blocks(tokenizer: Any, folder: Path) -> Iterator[list[int]]:
    """Yield the text in rows of as many tokens as a step has; the last, too short, is left out."""
    held: list[int] = []
    for line in (folder / "text.jsonl").read_text(encoding="utf-8").splitlines():
        held += [*tokenizer(json.loads(line)["text"])["input_ids"], tokenizer.eos_token_id]
        while len(held) >= BLOCK:
            yield held[:BLOCK]
            held = held[BLOCK:]


if __name__ == "__main__":
    main()
