"""The loss of scores, and the trainer that takes it; a sibling of the plugin: it needs torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from torch.nn.functional import logsigmoid

from luthier.core.templates import IGNORED
from luthier.plugins.stages.preferences import PairTrainer
from luthier.plugins.stages.rm import REWARD

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob
    from luthier.plugins.stages.rm import RewardModeling


SCORES = ("chosen_score", "rejected_score")
SQUARED = "_squared"


def pairwise_loss(
    chosen_N: torch.Tensor, rejected_N: torch.Tensor, centering: float = 0.0
) -> torch.Tensor:
    """Return -log sigmoid(s_w - s_l) + c (s_w + s_l)^2 of each pair of scores, (n,).

    Source: https://arxiv.org/abs/2009.01325, section 3.4; https://arxiv.org/abs/2312.09244,
    section 2.2, of the second term.
    """
    return -logsigmoid(chosen_N - rejected_N) + centering * (chosen_N + rejected_N) ** 2


def scores_of(
    values_BT: torch.Tensor, labels_BT: torch.Tensor, answers_BT: torch.Tensor
) -> torch.Tensor:
    """Return the value at the last token of each answer: the token that ends it, if one does.

    What a template writes after that is not there when an answer is sampled.

    Args:
        values_BT: the value of each token.
        labels_BT: `IGNORED` where a token is no part of an answer.
        answers_BT: the number of the answer that a token is of.
    """
    places_K = (labels_BT != IGNORED).flatten().nonzero()[:, 0]
    answers_K = answers_BT.flatten()[places_K]
    last_N = places_K.new_zeros(int(answers_BT.max()) + 1)
    last_N = last_N.scatter_reduce(0, answers_K, places_K, "amax")
    return values_BT.flatten()[last_N]


class RewardTrainer(PairTrainer):
    """Trains a value head, and the model beneath it, to score the preferred answer higher."""

    means = ("accuracy", "margin", *SCORES, *(f"{name}{SQUARED}" for name in SCORES))
    falling = frozenset({"rejected_score"})

    def __init__(self, job: TrainingJob, stage: RewardModeling) -> None:
        """Set up the loop."""
        super().__init__(job)
        self.stage = stage
        self.model_accepts_loss_kwargs = False

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **settings: Any) -> Any:
        """Return the loss of a batch of n pairs, by the scores of their 2n answers."""
        return super().compute_loss(model, {**inputs, "head": REWARD}, *args, **settings)

    def loss_of(self, outputs: Any, labels_BT: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the losses, which pairs are told apart rightly, and margins and scores."""
        chosen, rejected = scores_of(outputs.values, labels_BT, self.answers_BT).chunk(2)
        loss = pairwise_loss(chosen, rejected, self.stage.centering)
        margin = chosen - rejected
        return loss, margin > 0, margin, chosen, rejected, chosen**2, rejected**2

    def logged_means(self, means: dict[str, float]) -> dict[str, float]:
        """Return the means, and the standard deviations of the scores of either kind."""
        told = {name: one for name, one in means.items() if not name.endswith(SQUARED)}
        for name in SCORES:
            variance = means[f"{name}{SQUARED}"] - means[name] ** 2
            told[f"{name}_std"] = math.sqrt(max(variance, 0.0))
        return told
