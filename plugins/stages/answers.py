"""Answers in batches, and the trainer that counts them; a sibling of plugins: it needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy

from luthier.core.templates import IGNORED
from luthier.core.training import Trainer

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob


def answers_in(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return which answer each token of a batch is of, by its number; (B, T).

    A row of the batch is an answer, or many that lie end to end, whose positions begin again.
    """
    labels_BT = batch["labels"]
    if "attention_mask" in batch:
        numbers_B1 = torch.arange(len(labels_BT), device=labels_BT.device)[:, None]
        return numbers_B1.expand_as(labels_BT)
    begins_BT = batch["position_ids"] == 0
    return begins_BT.flatten().cumsum(0).view_as(begins_BT) - 1


def counted_answers(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return which answers of a batch have tokens that are counted; (answers,), bool.

    Those that only fill a batch have none.
    """
    answers_BT = answers_in(batch)
    trained_K = answers_BT[batch["labels"] != IGNORED]
    return trained_K.bincount(minlength=int(answers_BT.max()) + 1) > 0


def token_log_probabilities(logits_BTV: torch.Tensor, labels_BT: torch.Tensor) -> torch.Tensor:
    """Return the log-probability of each counted token, row after row; (K,), float32 or better.

    Args:
        logits_BTV: of shape (B, T, V).
        labels_BT: `IGNORED` where a token is not counted; label t is predicted at t - 1.
    """
    targets_BT = labels_BT[:, 1:].to(logits_BTV.device)
    counted_BT = targets_BT != IGNORED
    # the logits of other positions are not put into float32
    logits_KV = logits_BTV[:, :-1][counted_BT]
    logits_KV = logits_KV.to(torch.promote_types(logits_KV.dtype, torch.float32))
    return -cross_entropy(logits_KV, targets_BT[counted_BT], reduction="none")


class AnswerTrainer(Trainer):
    """Trains on answers: its loss is the mean over the items of a step, each an answer or more."""

    def __init__(self, job: TrainingJob) -> None:
        """Set up the loop; `loss_of` gives the loss of each item."""
        super().__init__(job, compute_loss_func=self._mean)
        self._sums: list[torch.Tensor] = []
        self.answers_BT = torch.empty(0)
        """Of the batch at hand, which answer each token is of."""
        self._counted_N = torch.empty(0)

    def loss_of(self, outputs: Any, labels_BT: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return of each item the loss, and then what `means` names: each of shape (n,)."""
        raise NotImplementedError

    def counted_in(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return which items of a batch are counted, (n,), bool: here each answer is one."""
        return counted_answers(batch)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **settings: Any) -> Any:
        """Return the loss of a batch of answers."""
        self.answers_BT = answers_in(inputs)
        self._counted_N = self.counted_in(inputs)
        return super().compute_loss(model, inputs, *args, **settings)

    def items_of(self, inputs: dict[str, Any], trained: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """Return how many items of a batch are counted."""
        return self._counted_N.sum()

    def sums_of_means(self) -> list[torch.Tensor]:
        """Return the sums of `means` over the items."""
        return self._sums

    def _mean(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        counted_N = self._counted_N
        loss_N, *told = (one[counted_N] for one in self.loss_of(outputs, labels))
        self._sums = [one.detach().float().sum() for one in told]
        items = len(loss_N) if num_items_in_batch is None else num_items_in_batch
        return loss_N.sum() / items

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> torch.Tensor:
        """Return the items of all batches of a step, on all processes."""
        items = sum(self.counted_in(batch).sum().to(device) for batch in batch_samples)
        found: torch.Tensor = self.accelerator.reduce(items, "sum")
        return found
