"""Dynamic Fine-Tuning, and the trainer that takes it; a sibling of the plugin: it needs torch.

Source: Wu et al., 2025, https://arxiv.org/abs/2508.05629.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from luthier.core.training import Trainer
from luthier.plugins.stages.answers import token_log_probabilities

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob


def dynamic_loss(logps_K: torch.Tensor) -> torch.Tensor:
    """Return -sg(p) log p of tokens, by their log-probabilities; both (K,).

    sg(p) has no gradient, so that the gradient is p times that of cross entropy.
    """
    return -logps_K.detach().exp() * logps_K


class DynamicTrainer(Trainer):
    """Trains on the mean of this loss over the tokens of a step; tells the cross entropy besides.

    Of a token this loss is highest at p = 1 / e and falls to both sides, so that it alone does not
    tell what was learned.
    """

    means = ("cross_entropy",)
    falling = frozenset(means)
    best_figure = "cross_entropy"

    def __init__(self, job: TrainingJob) -> None:
        """Set up the loop."""
        super().__init__(job, compute_loss_func=self._mean)
        self._cross_entropy = torch.zeros(())

    def sums_of_means(self) -> list[torch.Tensor]:
        """Return the summed cross entropy of the tokens."""
        return [self._cross_entropy]

    def _mean(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        logps_K = token_log_probabilities(outputs["logits"], labels)
        self._cross_entropy = -logps_K.detach().sum()
        tokens = len(logps_K) if num_items_in_batch is None else num_items_in_batch
        return dynamic_loss(logps_K).sum() / tokens
