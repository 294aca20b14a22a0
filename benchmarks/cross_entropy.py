"""What a step with a large vocabulary needs, with the loss computed whole and in chunks.

Each side takes its steps in a process of its own; what is told of memory is the peak of a step over
what the process held before it, and of all of the process.

    python benchmarks/cross_entropy.py [--vocabulary 128256] [--tokens 2048] [--device cuda]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from memory import held

SIDES = {"plain": 0, "chunks of 1,024": 1024, "chunks of 256": 256, "chunks of 128": 128}
ROWS = 4


def main() -> None:
    """Print a table of the sides, or measure one of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--vocabulary", type=int, default=128_256)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--device", default=None, choices=["cpu", "cuda"])
    parser.add_argument("--side", default=None, choices=SIDES)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(measure(arguments)))
        return
    for device in [arguments.device] if arguments.device else devices():
        print_table(arguments, device)


def devices() -> list[str]:
    """Return what there is to measure on."""
    import torch

    return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def print_table(arguments: argparse.Namespace, device: str) -> None:
    """Print what each side needs, all in one run."""
    print(
        f"\n{device}: a vocabulary of {arguments.vocabulary:,}, {arguments.tokens:,} tokens a step"
    )
    print("| side | loss | step, peak MiB | of plain | process, peak MiB | seconds | of plain |")
    print("|---|---|---|---|---|---|---|")
    found = {}
    for side in SIDES:
        found[side] = one = run(arguments, device, side)
        plain = found["plain"]
        print(
            f"| {side} | {one['loss']:.5f} | {one['step_mib']:,.0f} "
            f"| {one['step_mib'] / plain['step_mib']:.2f} | {one['process_mib']:,.0f} "
            f"| {one['seconds']:.2f} | {one['seconds'] / plain['seconds']:.2f} |"
        )


def run(arguments: argparse.Namespace, device: str, side: str) -> dict[str, float]:
    """Return what one side needs, measured in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--side", side, "--device", device]
    for name in ("vocabulary", "tokens", "steps"):
        command += [f"--{name}", str(getattr(arguments, name))]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Take some steps of a small Llama and return what they needed."""
    import torch

    from luthier.core.training import token_mean_loss

    model = model_of(arguments)
    if tokens := SIDES[arguments.side]:
        from luthier.plugins.patches.chunked_cross_entropy import ChunkedCrossEntropy

        ChunkedCrossEntropy(tokens=tokens).patch_model(model, "adapted")
    ids = torch.arange(arguments.tokens, device=arguments.device).reshape(ROWS, -1)
    labels = ids.clone()
    labels[:, : ids.shape[1] // 4] = -100  # the prompts
    before, seconds, loss = held(arguments.device), [], 0.0
    for _ in range(arguments.steps):
        model.zero_grad(set_to_none=True)
        began = time.perf_counter()
        result = token_mean_loss(model(input_ids=ids, use_cache=False), labels)
        result.backward()
        loss = result.item()  # waits for the device, too
        seconds.append(time.perf_counter() - began)
    peak = held(arguments.device, peak=True)
    process = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "loss": loss, "step_mib": peak - before, "process_mib": process, "seconds": min(seconds),
    }  # fmt: skip


def model_of(arguments: argparse.Namespace) -> Any:
    """Return a small Llama with a head of the vocabulary's size."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=arguments.vocabulary, hidden_size=128, intermediate_size=256,
        num_hidden_layers=2, num_attention_heads=4, tie_word_embeddings=True,
    )  # fmt: skip
    return transformers.AutoModelForCausalLM.from_config(config).to(arguments.device).train()


if __name__ == "__main__":
    main()
