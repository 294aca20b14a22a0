"""The bare loops of PyTorch that `benchmarks/training.py` measures luthier beside."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from memory import held
from pairs_and_rows import BATCH, IGNORED, MARKS, kind_of, read_rows

METHODS: dict[str, dict[str, Any]] = {
    "full": {"name": "full"},
    "freeze": {"name": "freeze", "layers": 2},
    "lora": {"name": "lora", "rank": 8, "alpha": 16},
    "dpo": {"name": "lora", "rank": 8, "alpha": 16},
}
"""The tuner of each; `dpo` learns from pairs, whose reference is the model without its adapter."""
PAIRED, BETA = "dpo", 0.1


def by_hand(method: str, folder: Path, *, floor: bool) -> float:
    """Train by a bare loop."""
    import torch
    from clock import Clock
    from transformers import AutoModelForCausalLM

    before = held("cpu")
    rows = read_rows(folder / f"ordered-{kind_of(method)}.jsonl")
    loaded = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32)
    model = tuned(loaded, method).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0, fused=True)
    clock = Clock(folder / "seen.json", MARKS)
    clock.on_train_begin(model=model)
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        sums_of = partial(floor_sums, loaded) if floor else partial(padded_sums, model)
        loss = pairs_loss(sums_of, model, batch) if method == PAIRED else rows_loss(sums_of, batch)
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
    if options["name"] == "lora":
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=options["rank"], lora_alpha=options["alpha"], target_modules="all-linear"
        )
        return get_peft_model(model, config)
    return model


def rows_loss(sums_of: Callable[..., Any], rows: list[dict[str, Any]]) -> Any:
    """Return the mean loss of the trained tokens of rows."""
    return -sums_of(rows).sum() / sum(id_ != IGNORED for row in rows for id_ in row["labels"][1:])


def pairs_loss(sums_of: Callable[..., Any], model: Any, pairs: list[dict[str, Any]]) -> Any:
    """Return the mean loss of pairs, equation 7 of https://arxiv.org/abs/2305.18290."""
    import torch

    rows = [
        {key: pair[f"{name}_{key}"] for key in ("input_ids", "labels")}
        for name in ("chosen", "rejected") for pair in pairs
    ]  # fmt: skip
    with torch.no_grad(), model.disable_adapter():
        reference = sums_of(rows)
    chosen, rejected = (sums_of(rows) - reference).chunk(2)
    return -torch.nn.functional.logsigmoid(BETA * (chosen - rejected)).mean()


def padded_sums(model: Any, rows: list[dict[str, Any]]) -> Any:
    """Return the summed log-probabilities of the trained tokens of each row, in padded batches."""
    import torch

    def padded(key: str, fill: int) -> torch.Tensor:
        columns = [torch.tensor(row[key]) for row in rows]
        return torch.nn.utils.rnn.pad_sequence(columns, batch_first=True, padding_value=fill)

    ids, mask = padded("input_ids", 0), (padded("input_ids", -1) >= 0).long()
    targets = padded("labels", IGNORED)[:, 1:]
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return -losses.view_as(targets).sum(1)


def floor_sums(loaded: Any, rows: list[dict[str, Any]]) -> Any:
    """Return the same of rows without pads, each of which attends to itself alone.

    Args:
        loaded: the language model, which may have adapters within.
        rows: the rows.
    """
    import torch
    from torch.nn.functional import cross_entropy, scaled_dot_product_attention
    from transformers import AttentionInterface, AttentionMaskInterface

    sizes = [len(row["input_ids"]) for row in rows]

    def by_rows(_: Any, *states: Any, **__: Any) -> tuple[torch.Tensor, None]:
        parts = zip(*(state.split(sizes, dim=2) for state in states[:3]), strict=True)
        outputs = [scaled_dot_product_attention(*part, is_causal=True) for part in parts]
        return torch.cat(outputs, dim=2).transpose(1, 2), None

    AttentionInterface.register("by_rows", by_rows)
    AttentionMaskInterface.register("by_rows", lambda *_, **__: None)
    loaded.set_attn_implementation("by_rows")
    ids = torch.tensor([[one for row in rows for one in row["input_ids"]]])
    positions = torch.cat([torch.arange(size) for size in sizes])[None]
    targets = torch.tensor([one for row in rows for one in (*row["labels"][1:], IGNORED)])
    numbers = torch.arange(len(rows)).repeat_interleave(torch.tensor(sizes))
    trained = targets != IGNORED
    hidden = loaded.model(input_ids=ids, position_ids=positions, use_cache=False)[0][0]
    losses = cross_entropy(loaded.lm_head(hidden[trained]), targets[trained], reduction="none")
    return losses.new_zeros(len(rows)).index_add(0, numbers[trained], -losses)
