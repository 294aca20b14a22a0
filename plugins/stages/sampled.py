"""Prompts in batches, and the answers that were sampled to them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import torch

from luthier.core.model.padding import pad_id_of
from luthier.core.templates import IGNORED

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class PromptCollator:
    """Pads prompts on the left, so that all answers begin at one place."""

    def __init__(self, pad_id: int, repeats: int) -> None:
        """Pad with `pad_id`, and put each prompt into the batch so many times, one by one."""
        self.pad_id, self.repeats = pad_id, repeats

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, repeats: int) -> PromptCollator:
        """Return the collator that pads with a tokenizer's own pad token, or with id 0."""
        return cls(pad_id_of(tokenizer), repeats)

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Return `input_ids` and `attention_mask`, (B, T), of each prompt.

        Besides `references`, the ids of its answer in the data, and `counted`, (B,), bool: prompts
        that only fill a batch are not.
        """
        rows = [row for row in rows for _ in range(self.repeats)]
        longest = max(len(row["prompt_input_ids"]) for row in rows)
        ids_BT = torch.full((len(rows), longest), self.pad_id, dtype=torch.long)
        mask_BT = torch.zeros((len(rows), longest), dtype=torch.long)
        for n, row in enumerate(rows):
            size = len(row["prompt_input_ids"])
            ids_BT[n, longest - size :] = torch.as_tensor(row["prompt_input_ids"])
            mask_BT[n, longest - size :] = 1
        counted = [any(label != IGNORED for label in row["prompt_labels"]) for row in rows]
        return {
            "input_ids": ids_BT, "attention_mask": mask_BT, "counted": torch.tensor(counted),
            "references": [_answer_ids(row) for row in rows],
        }  # fmt: skip


def counted_prompts(batch: dict[str, Any]) -> dict[str, Any]:
    """Return a batch of prompts without those that only fill it; none may be left."""
    kept_B = batch["counted"]
    kept = {name: batch[name][kept_B] for name in ("input_ids", "attention_mask", "counted")}
    pairs = zip(batch["references"], kept_B.tolist(), strict=True)
    return {**kept, "references": [one for one, counts in pairs if counts]}


def _answer_ids(row: dict[str, Any]) -> list[int]:
    pairs = zip(row.get("answered_input_ids", ()), row.get("answered_labels", ()), strict=True)
    return [int(one) for one, label in pairs if label != IGNORED]


@dataclass
class Rollout:
    """Answers to a batch of prompts: B of them, of A tokens at most, after P of the prompts."""

    ids: torch.Tensor
    """Prompts, padded on the left, and answers, padded on the right; (B, T), T = P + A."""
    seen: torch.Tensor
    """1 where there is a token, and no pad; (B, T)."""
    mask: torch.Tensor
    """1 for the tokens of the answers; (B, A), as all that follows but the scores."""
    scores: torch.Tensor
    """What the rewards gave each answer; (B,)."""
    logps: torch.Tensor
    """The log-probability of each token when it was sampled."""
    reference: torch.Tensor
    """Its log-probability by the reference."""
    values: torch.Tensor
    """The value of what stands before each token; zero where the stage has none."""
    entropy: torch.Tensor
    """What the policy could have said in place of each token, in nats."""
    advantages: torch.Tensor
    """How much better each token went than expected; the stage fills it in."""

    def __len__(self) -> int:
        """Return how many answers there are."""
        return len(self.ids)

    def at(self, numbers: torch.Tensor) -> Rollout:
        """Return some of the answers, by their numbers."""
        return Rollout(**{one.name: getattr(self, one.name)[numbers] for one in fields(self)})

    @property
    def kl(self) -> torch.Tensor:
        """The log-ratio of each token to the reference; zero where there is none."""
        return (self.logps - self.reference) * self.mask


@dataclass
class Told:
    """What a model makes of the tokens of answers, (B, A)."""

    logps: torch.Tensor
    values: torch.Tensor | None
    entropy: torch.Tensor
    """In nats, without a gradient."""
