"""Time and memory of a training step against the length of its row, with and without S2 attention.

    python benchmarks/s2_attention.py [--longest N]

A Llama of two layers (4 heads of 64, little else to compute) takes a step on one row, on the GPU
where there is one, each length and way in a process of its own. Prints the seconds of the second
step and the memory that it needed beyond the model. Leaves with 1 where S2 attention is not faster
than full attention on the longest row.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from typing import Any

import torch
import transformers

from luthier.core.model.attention import composed_attention
from luthier.core.wiring import Selected, manager_of
from luthier.plugins.patches.s2_attention import S2Attention
from luthier.registry import Entry

SHORTEST = 1024
WAYS: dict[str, dict[str, Any] | None] = {
    "full": None,
    "a quarter": {"share": 0.25},
    "512 tokens": {"tokens": 512},
}
"""What a group is; `full` is SDPA alone."""


def main() -> int:
    """Return 0 where S2 attention is faster on the longest row."""
    parser = argparse.ArgumentParser(description=__doc__)
    longest_on_this = 65_536 if torch.cuda.device_count() else 8192
    parser.add_argument("--longest", type=int, default=longest_on_this, help="tokens of a row")
    longest = parser.parse_args().longest
    print(f"{'tokens':>8}" + "".join(f"{way:>22}" for way in WAYS))
    length, seconds = SHORTEST, [0.0]
    while length <= longest:
        figures = [in_a_process(length, options) for options in WAYS.values()]
        cells = "".join(f"{took:>10.3f} s {mib:>6,.0f} MiB" for took, mib in figures)
        print(f"{length:>8,}{cells}", flush=True)
        seconds = [took for took, _ in figures]
        length *= 2
    return int(min(seconds[1:], default=0.0) >= seconds[0])


def in_a_process(length: int, options: dict[str, Any] | None) -> tuple[float, float]:
    """Return what `measured` does, of a process that has done nothing else."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(measured, (length, options))


def measured(length: int, options: dict[str, Any] | None) -> tuple[float, float]:
    """Return the seconds of a step, and the MiB that it took beyond the model."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = transformers.LlamaConfig(
        vocab_size=256, hidden_size=256, intermediate_size=256, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=length,
    )  # fmt: skip
    model = transformers.AutoModelForCausalLM.from_config(
        config,
        attn_implementation=attention_of(options),
        dtype=torch.bfloat16 if device == "cuda" else torch.float32,
    )
    model = model.to(device).train()
    ids = torch.randint(0, 256, (1, length), device=device)
    before, took = peak(device), 0.0
    for _ in range(2):
        began = time.perf_counter()
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        if device == "cuda":
            torch.cuda.synchronize()
        took = time.perf_counter() - began
    return took, (peak(device) - before) / 2**20


def attention_of(options: dict[str, Any] | None) -> str | None:
    """Return the name of SDPA, with S2 attention over it where it has options."""
    if options is None:
        return "sdpa"
    entry = Entry("patches", "s2-attention", "-", "luthier", "-")
    plugin = S2Attention(**options)
    return composed_attention(
        "sdpa", manager_of([Selected("patches", "s2-attention", plugin, entry)])
    )


def peak(device: str) -> int:
    """Return the most memory in use so far, in bytes."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
