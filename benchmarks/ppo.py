"""Memory of PPO: its four models on one base, beside four models of their own.

A step of PPO (sampling, log-probabilities, values, reference, scores, one update) of a random
model, the same LoRAs, heads and batches on each side, each side in a process of its own:

- shared: one base model; policy and reward are adapters on it, switched on in turn, the values a
  second head on the policy, the reference is the adapters switched off;
- separate: policy, values, reference and reward are models of their own.

What is printed is the peak over what the process held before any model, and beside it a bound that
is computed: weights, adapters, heads, gradients and AdamW's moments, without activations.

    python benchmarks/ppo.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from memory import held

SHAPES = {
    "30 million weights": {"hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 10},
    "110 million weights": {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12},
}
SIDES = ("shared", "separate")
VOCABULARY, ANSWERS, PROMPT, ANSWER = 16_000, 4, 32, 32
MIB = 2**20


def main() -> None:
    """Print a table, or measure one side."""
    options = argparse.ArgumentParser()
    options.add_argument("--side", nargs=2, metavar=("SIDE", "SHAPE"))
    given = options.parse_args()
    if given.side:
        print(json.dumps(measured(*given.side)))
        return
    print("| shape | side | base weights in memory | peak MiB | bound MiB | of separate |")
    print("|---|---|---|---|---|---|")
    for shape in SHAPES:
        found = {side: told(side, shape) for side in SIDES}
        for side, one in found.items():
            share = one["peak"] / found["separate"]["peak"]
            print(
                f"| {shape} | {side} | {one['copies']:.0f} times | {one['peak']:,.0f} | "
                f"{one['bound']:,.0f} | {share:.2f} |",
                flush=True,
            )


def told(side: str, shape: str) -> dict[str, float]:
    """Return the figures of one side, measured in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--side", side, shape]
    out = subprocess.run(command, capture_output=True, text=True, check=False)
    if out.returncode:
        raise SystemExit(f"{side}, {shape}:\n{out.stderr[-3000:]}")
    found: dict[str, float] = json.loads(out.stdout.splitlines()[-1])
    return found


class Roles(NamedTuple):
    """What PPO asks of models: each a module, and the context in which it is that."""

    policy: tuple[Any, Any]
    values: tuple[Any, Any]
    reference: tuple[Any, Any]
    reward: tuple[Any, Any]


def measured(side: str, shape: str) -> dict[str, float]:
    """Take a step of PPO; return its peak over the bare process, and what was computed."""
    import peft  # noqa: F401 - imported before memory is looked at
    import torch
    import transformers

    from luthier.core.model import sharing  # noqa: F401
    from luthier.plugins.stages import policies  # noqa: F401

    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, num_attention_heads=6, max_position_embeddings=256, eos_token_id=0,
        bos_token_id=None, **SHAPES[shape],
    )  # fmt: skip
    torch.manual_seed(0)
    before = held("cpu")
    roles = shared(config) if side == "shared" else separate(config)
    modules = {id(model): model for model, _ in roles}.values()
    parameters = {id(p): p for model in modules for p in model.parameters()}.values()
    trained = [p for p in parameters if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    step(roles, optimizer)
    with torch.device("meta"):
        base = sum(p.numel() for p in transformers.LlamaForCausalLM(config).parameters())
    storages = {p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in parameters}
    frozen = sum(p.numel() for p in parameters if not p.requires_grad)
    bytes_held = sum(storages.values()) + sum(3 * p.numel() * p.element_size() for p in trained)
    return {
        "peak": held("cpu", peak=True) - before, "bound": bytes_held / MIB,
        "copies": round(frozen / base),
    }  # fmt: skip


def adapted(model: Any) -> Any:
    """Return a model with a LoRA on all of its linear layers."""
    from peft import LoraConfig, get_peft_model

    return get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear"))


def valued(model: Any, *names: str) -> Any:
    """Return a model with value heads."""
    from luthier.core.model.value_head import ValuedModel, new_value_head

    return ValuedModel(model, {name: new_value_head(model) for name in names})


def shared(config: Any) -> Roles:
    """Return the roles that one base model plays."""
    from peft import LoraConfig
    from transformers import LlamaForCausalLM

    from luthier.core.model.sharing import switched_off, switched_to

    model = adapted(LlamaForCausalLM(config))
    reward = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", inference_mode=True)
    model.add_adapter("reward", reward)
    model.set_adapter("default")
    both = valued(model, "value", "reward")
    for name, parameter in both.named_parameters():
        if "reward" in name.split("."):
            parameter.requires_grad_(requires_grad=False)
    policy = (both, nullcontext)
    return Roles(
        policy, policy, (both, partial(switched_off, model)),
        (both, partial(switched_to, model, "reward")),
    )  # fmt: skip


def separate(config: Any) -> Roles:
    """Return the roles that four models play, with the same adapters and heads."""
    from transformers import LlamaForCausalLM

    def fresh() -> Any:
        return LlamaForCausalLM(config)

    policy, values = valued(adapted(fresh())), valued(adapted(fresh()), "value")
    reference, reward = valued(fresh()), valued(adapted(fresh()), "reward")
    for frozen in (reference, reward):
        frozen.requires_grad_(requires_grad=False)
    return Roles(*((model, nullcontext) for model in (policy, values, reference, reward)))


def step(roles: Roles, optimizer: Any) -> None:
    """Sample, weigh and update once."""
    import torch

    from luthier.plugins.stages.policies import (
        advantages,
        clipped_surrogate,
        clipped_value_loss,
        masked_mean,
        token_rewards,
        whitened,
    )

    prompts = torch.randint(3, VOCABULARY, (ANSWERS, PROMPT))
    policy, _ = roles.policy
    with torch.no_grad():
        ids = policy.model.generate(
            input_ids=prompts, attention_mask=torch.ones_like(prompts), do_sample=True, top_k=0,
            max_new_tokens=ANSWER, min_new_tokens=ANSWER, pad_token_id=0,
        )  # fmt: skip
        old, before = policy_and_values(roles, ids)
        reference = logps(roles.reference, ids)
        scores = values_of(roles.reward, ids, "reward")[:, -1]
        mask = torch.ones_like(old)
        rewards = token_rewards(scores, old - reference, mask, 0.05)
        over = advantages(rewards, before, mask, 1.0, 0.95)
    now, values = policy_and_values(roles, ids)
    policy_loss = clipped_surrogate(now, old, whitened(over, mask), 0.2)
    value_loss = clipped_value_loss(values, before, over + before, 0.2)
    masked_mean(policy_loss + 0.1 * value_loss, mask).backward()
    optimizer.step()


def policy_and_values(roles: Roles, ids: Any) -> tuple[Any, Any]:
    """Return log-probabilities and values of the tokens of answers; of one model in one pass."""
    import torch

    if roles.policy[0] is not roles.values[0]:
        values = values_of(roles.values, ids, "value")
        return logps(roles.policy, ids), values[:, PROMPT - 1 : -1]
    found = roles.policy[0](ids, torch.ones_like(ids), head="value", logits=True)
    return chosen(found.logits, ids), found.values[:, PROMPT - 1 : -1]


def logps(role: tuple[Any, Any], ids: Any) -> Any:
    """Return the log-probabilities of the tokens of answers."""
    valued_model, context = role
    with context():
        return chosen(valued_model.model(input_ids=ids, use_cache=False).logits, ids)


def chosen(logits: Any, ids: Any) -> Any:
    """Return the log-probabilities of the tokens of answers, of all logits."""
    import torch

    losses = torch.nn.functional.cross_entropy(
        logits[:, PROMPT - 1 : -1].flatten(0, 1), ids[:, PROMPT:].flatten(), reduction="none"
    )
    return -losses.view(ANSWERS, ANSWER)


def values_of(role: tuple[Any, Any], ids: Any, head: str) -> Any:
    """Return the values of all tokens."""
    import torch

    valued_model, context = role
    with context():
        return valued_model(ids, torch.ones_like(ids), head=head).values


if __name__ == "__main__":
    main()
