"""Losses of preferences, and the trainer that takes them; a sibling of the plugin: it needs torch.

Each loss reads, of n pairs, the log-probabilities of the preferred and of the other answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn.functional import cross_entropy, logsigmoid

from luthier.core.templates import IGNORED
from luthier.core.training import Trainer
from luthier.plugins.stages.reference import Reference

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob
    from luthier.plugins.stages.dpo import DirectPreference


class Answers(NamedTuple):
    """What a model makes of n pairs of answers: each of shape (n,)."""

    chosen: torch.Tensor
    """The summed log-probabilities of the tokens of the preferred answers."""
    rejected: torch.Tensor
    chosen_length: torch.Tensor
    """How many tokens these sums are of."""
    rejected_length: torch.Tensor

    def means(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean log-probability of a token of each answer."""
        return self.chosen / self.chosen_length, self.rejected / self.rejected_length


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


def log_probabilities(
    logits_BTV: torch.Tensor,
    labels_BT: torch.Tensor,
    answers_BT: torch.Tensor,
    beyond: float = 1.0,
) -> Answers:
    """Return the log-probabilities of answers: n preferred ones, then the n others.

    Args:
        logits_BTV: of shape (B, T, V).
        labels_BT: `IGNORED` where a token is no part of an answer.
        answers_BT: the number of the answer that a token is of, 0 to 2n - 1.
        beyond: what those tokens of the longer answer of a pair count for that are beyond the
            length of the shorter one (LD-DPO, https://arxiv.org/abs/2409.06411, equation 10).
    """
    targets_BT = labels_BT[:, 1:]
    answer_BT = targets_BT != IGNORED
    # the logits of other positions are not put into float32
    logits_KV = logits_BTV[:, :-1][answer_BT]
    logits_KV = logits_KV.to(torch.promote_types(logits_KV.dtype, torch.float32))
    found_K = -cross_entropy(logits_KV, targets_BT[answer_BT], reduction="none")
    answers_K = answers_BT[:, 1:][answer_BT]
    lengths_B = answers_K.bincount(minlength=int(answers_BT.max()) + 1)
    if beyond != 1:
        shorter_n = torch.minimum(*lengths_B.chunk(2))
        numbers_K = torch.arange(len(found_K), device=found_K.device)
        number_K = numbers_K - (lengths_B.cumsum(0) - lengths_B)[answers_K]
        over_K = number_K >= torch.cat([shorter_n, shorter_n])[answers_K]
        found_K = torch.where(over_K, beyond * found_K, found_K)
    sums_B = found_K.new_zeros(len(lengths_B)).index_add(0, answers_K, found_K)
    return Answers(*sums_B.chunk(2), *lengths_B.chunk(2))


class Judgement(NamedTuple):
    """The loss of each pair, and the rewards that it gives the two answers: each of shape (n,)."""

    loss: torch.Tensor
    chosen: torch.Tensor
    rejected: torch.Tensor


def judged(stage: DirectPreference, policy: Answers, reference: Answers | None) -> Judgement:
    """Return the losses of pairs, and the rewards that answers have by them.

    Args:
        stage: which loss, and its options.
        policy: the answers by the model that is trained.
        reference: by the model as it began; None where the loss has no use for it.
    """
    rewards, of_margin = LOSSES[stage.loss]
    chosen, rejected = rewards(stage, policy, reference)
    loss = of_margin(stage, chosen - rejected)
    if weight := stage.weight_of_answers:
        loss = loss - weight * policy.means()[0]
    return Judgement(loss, chosen, rejected)


Pair = tuple[torch.Tensor, torch.Tensor]


def _ratios(stage: DirectPreference, policy: Answers, reference: Answers | None) -> Pair:
    """Return beta times the log-ratios to the reference (DPO, equation 5)."""
    assert reference is not None  # noqa: S101 - `needs_reference` told so
    beta = stage.beta
    return beta * (policy.chosen - reference.chosen), beta * (policy.rejected - reference.rejected)


def _mean_ratios(stage: DirectPreference, policy: Answers, reference: Answers | None) -> Pair:
    """Return the same of a token on average, as IPO's authors advise."""
    assert reference is not None  # noqa: S101 - `needs_reference` told so
    pairs = zip(policy.means(), reference.means(), strict=True)
    first, second = (stage.beta * (one - other) for one, other in pairs)
    return first, second


def _sums(stage: DirectPreference, policy: Answers, _: Answers | None) -> Pair:
    return stage.beta * policy.chosen, stage.beta * policy.rejected


def _means(stage: DirectPreference, policy: Answers, _: Answers | None) -> Pair:
    chosen, rejected = policy.means()
    return stage.beta * chosen, stage.beta * rejected


def _odds(stage: DirectPreference, policy: Answers, _: Answers | None) -> Pair:  # noqa: ARG001
    """Return the log-odds of a token on average (ORPO, equation 4)."""
    first, second = (one - torch.log1p(-one.exp()) for one in policy.means())
    return first, second


def _sigmoid(stage: DirectPreference, margin: torch.Tensor) -> torch.Tensor:
    """Return DPO's, equation 7; with noisy labels the one of cDPO."""
    smoothing = stage.label_smoothing
    return -(1 - smoothing) * logsigmoid(margin) - smoothing * logsigmoid(-margin)


def _weighted(stage: DirectPreference, margin: torch.Tensor) -> torch.Tensor:
    """Return ORPO's of the odds ratio, equation 6, with its weight."""
    return -stage.beta * logsigmoid(margin)


def _robust(stage: DirectPreference, margin: torch.Tensor) -> torch.Tensor:
    """Return the unbiased one under noisy labels."""
    smoothing = stage.label_smoothing
    found = -(1 - smoothing) * logsigmoid(margin) + smoothing * logsigmoid(-margin)
    return found / (1 - 2 * smoothing)


def _hinge(_: DirectPreference, margin: torch.Tensor) -> torch.Tensor:
    return torch.relu(1 - margin)


def _squared(stage: DirectPreference, margin: torch.Tensor) -> torch.Tensor:
    """Return IPO's, equation 17, tau being beta."""
    return (margin / stage.beta - 1 / (2 * stage.beta)) ** 2


def _target_margin(stage: DirectPreference, margin: torch.Tensor) -> torch.Tensor:
    """Return SimPO's, equation 6."""
    return -logsigmoid(margin - stage.margin)


LOSSES: dict[str, tuple[Callable[..., Pair], Callable[..., torch.Tensor]]] = {
    "sigmoid": (_ratios, _sigmoid),
    "robust": (_ratios, _robust),
    "hinge": (_ratios, _hinge),
    "ipo": (_mean_ratios, _squared),
    "simpo": (_means, _target_margin),
    "cpo": (_sums, _sigmoid),
    "orpo": (_odds, _weighted),
}
"""Of each loss the rewards of answers, and what is made of their difference."""


class PairTrainer(Trainer):
    """Trains on pairs of answers: its loss is the mean over the pairs of a step."""

    def __init__(self, job: TrainingJob) -> None:
        """Set up the loop; `loss_of` gives the loss of each pair."""
        super().__init__(job, compute_loss_func=self._mean)
        self._sums: list[torch.Tensor] = []
        self.answers_BT = torch.empty(0)
        """Of the batch at hand, which answer each token is of."""

    def loss_of(self, outputs: Any, labels_BT: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return of each pair the loss, and then what `means` names: each of shape (n,)."""
        raise NotImplementedError

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **settings: Any) -> Any:
        """Return the loss of a batch of n pairs, 2n answers."""
        self.answers_BT = answers_in(inputs)
        return super().compute_loss(model, inputs, *args, **settings)

    def items_of(self, inputs: dict[str, Any], trained: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """Return how many pairs a batch has."""
        return _pairs_in(inputs)

    def sums_of_means(self) -> list[torch.Tensor]:
        """Return the sums of `means` over the pairs."""
        return self._sums

    def _mean(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        loss_N, *told = self.loss_of(outputs, labels)
        self._sums = [one.detach().float().sum() for one in told]
        pairs = len(loss_N) if num_items_in_batch is None else num_items_in_batch
        return loss_N.sum() / pairs

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> torch.Tensor:
        """Return the pairs of all batches of a step, on all processes."""
        pairs = sum(_pairs_in(batch).to(device) for batch in batch_samples)
        found: torch.Tensor = self.accelerator.reduce(pairs, "sum")
        return found


class PreferenceTrainer(PairTrainer):
    """Trains on pairs of answers; the reference is the model as it began."""

    means = ("accuracy", "margin", "chosen_reward", "rejected_reward")

    def __init__(self, job: TrainingJob, stage: DirectPreference) -> None:
        """Note the reference, where the loss compares with one."""
        super().__init__(job)
        self.stage = stage
        self._as_it_began = Reference(job) if stage.needs_reference else None
        self._reference: Answers | None = None

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **settings: Any) -> Any:
        """Ask the reference, and return the loss."""
        if self._as_it_began is not None:
            self.answers_BT = answers_in(inputs)
            with self._as_it_began():
                given = {key: one for key, one in inputs.items() if key != "labels"}
                logits = self.job.opened.model(**given).logits
                self._reference = self._answers(logits, inputs["labels"])
        return super().compute_loss(model, inputs, *args, **settings)

    def loss_of(self, outputs: Any, labels_BT: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the losses, which pairs are told apart rightly, and margins and rewards."""
        found = judged(self.stage, self._answers(outputs.logits, labels_BT), self._reference)
        margin = (found.chosen - found.rejected).detach()
        return found.loss, margin > 0, margin, found.chosen, found.rejected

    def _answers(self, logits_BTV: torch.Tensor, labels_BT: torch.Tensor) -> Answers:
        beyond = self.stage.beyond_shorter
        return log_probabilities(logits_BTV, labels_BT, self.answers_BT, beyond)


def _pairs_in(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return how many pairs of answers a batch has."""
    return (answers_in(batch).max() + 1) // 2
