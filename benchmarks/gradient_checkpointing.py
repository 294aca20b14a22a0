"""What a step of a deep model on long rows needs, with its layers computed once and again.

Each side takes its steps in a process of its own; what is told of memory is the peak of a step over
what the process held before it, and what of it was kept for the backward pass.

    python benchmarks/gradient_checkpointing.py [--layers 12] [--tokens 4096] [--device cuda]
"""

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

from memory import held

SIDES = ("plain", "checkpointing", "plain, lora", "checkpointing, lora")


def main() -> None:
    """Print a table of the sides, or measure one of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--side", default=None, choices=SIDES)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(measure(arguments)))
        return
    print(f"{arguments.device}: {arguments.layers} layers, one row of {arguments.tokens:,} tokens")
    print("| side | loss | kept, MiB | step, peak MiB | seconds |")
    print("|---|---|---|---|---|")
    for side in SIDES:
        command = [sys.executable, *sys.argv, "--side", side]
        # glibc's heap would keep what torch has freed
        settings = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
        answer = subprocess.run(command, check=True, capture_output=True, text=True, env=settings)
        one = json.loads(answer.stdout)
        print(
            f"| {side} | {one['loss']:.6f} | {one['kept_mib']:,.0f} | {one['step_mib']:,.0f} "
            f"| {one['seconds']:.2f} |"
        )


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Take some steps of a small Llama and return what they needed."""
    import torch

    from luthier.plugins.patches.gradient_checkpointing import GradientCheckpointing

    model = model_of(arguments)
    if "checkpointing" in arguments.side:
        GradientCheckpointing().patch_model(model, "adapted")
    ids = torch.arange(arguments.tokens, device=arguments.device)[None] % 256
    before, kept, seconds, loss = held(arguments.device), 0.0, [], 0.0
    for _ in range(arguments.steps):
        model.zero_grad(set_to_none=True)
        began = time.perf_counter()
        result = model(input_ids=ids, labels=ids, use_cache=False).loss
        kept = max(kept, held(arguments.device) - before)
        result.backward()
        loss = result.item()  # waits for the device, too
        seconds.append(time.perf_counter() - began)
    peak = held(arguments.device, peak=True)
    return {
        "loss": loss, "kept_mib": kept, "step_mib": peak - before, "seconds": min(seconds),
    }  # fmt: skip


def model_of(arguments: argparse.Namespace) -> Any:
    """Return a small Llama, with an adapter where the side has one."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=256, hidden_size=128, intermediate_size=384, num_attention_heads=4,
        num_hidden_layers=arguments.layers, max_position_embeddings=arguments.tokens,
    )  # fmt: skip
    model: Any = transformers.AutoModelForCausalLM.from_config(config)
    if "lora" in arguments.side:
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(r=8, target_modules="all-linear"))
    return model.to(arguments.device).train()


if __name__ == "__main__":
    main()
