"""From plain texts to preferred answers, offline: pt, sft, rm, ppo; and sft, dpo.

Each run begins with the model of the one before. At the end answers are sampled of the model
before preferences and after: the share of kind ones, and some of them.

    python examples/rlhf/chain.py

The run folders are written to `examples/rlhf/runs`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
STAGES = ("pt", "sft", "rm", "ppo", "dpo")
COMPARED = {"sft": "before", "ppo": "after ppo", "dpo": "after dpo"}
KIND = "Gladly!"
PROMPTS, SAMPLES, SHOWN = 8, 8, 4
"""Prompts that are asked, answers that are sampled to each, and prompts that are shown."""


def main() -> int:
    """Return 0 where both ways make kind answers more frequent."""
    began = time.monotonic()
    for stage in STAGES:
        command = [sys.executable, "-m", "luthier.core", "train", str(HERE / f"{stage}.yaml")]
        print(f"\n$ luthier train {stage}.yaml", flush=True)
        subprocess.run([*command, "--overwrite"], cwd=HERE, check=True)
    lines = (HERE / "data" / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines[:PROMPTS]]
    answers = {stage: sampled(HERE / "runs" / stage, prompts) for stage in COMPARED}
    shares = {stage: share_of_kind(found) for stage, found in answers.items()}
    print(f"\n{'':28}" + "".join(f"{COMPARED[stage]:32}" for stage in answers))
    print(f"{'kind answers':28}" + "".join(f"{f'{share:.0%}':32}" for share in shares.values()))
    for number, prompt in enumerate(prompts[:SHOWN]):
        row = (f"{found[number][0]:32}" for found in answers.values())
        print(f"{prompt:28}" + "".join(row).rstrip())
    print(f"\n{time.monotonic() - began:.0f} seconds")
    return 0 if min(shares["ppo"], shares["dpo"]) > shares["sft"] else 1


def sampled(run: Path, prompts: list[str]) -> list[list[str]]:
    """Return answers that a run's model gives to each prompt."""
    from luthier.core import load

    engine = load(run, ["generation.temperature=1", "generation.max_new_tokens=24"])
    return [
        [engine.answer([{"role": "user", "content": prompt}]) for _ in range(SAMPLES)]
        for prompt in prompts
    ]


def share_of_kind(answers: list[list[str]]) -> float:
    """Return which share of all answers is kind."""
    every = [answer for group in answers for answer in group]
    return sum(answer.startswith(KIND) for answer in every) / len(every)


if __name__ == "__main__":
    sys.exit(main())
