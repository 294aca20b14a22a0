"""Losses of preferences, and the trainer that takes them; a sibling of the plugin: it needs torch.

Each loss reads, of n pairs, the log-probabilities of the preferred and of the other answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn.functional import logsigmoid

from luthier.core.errors import BadData
from luthier.core.problems import counted
from luthier.core.run.ranks import rank, world
from luthier.core.run.reporting import now_and_then
from luthier.core.templates import IGNORED
from luthier.core.training.streaming import Stream
from luthier.plugins.stages.answers import AnswerTrainer, answers_in, token_log_probabilities
from luthier.plugins.stages.precomputed import TOLD, ToldCollator, ToldRows
from luthier.plugins.stages.reference import OtherModel, Reference, padded

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
    whole: torch.Tensor | None = None
    """The sums of the preferred answers where `chosen` has tokens that count for less."""

    def mean_of_answers(self) -> torch.Tensor:
        """Return the mean log-probability of a token of the preferred answers, all alike."""
        return (self.chosen if self.whole is None else self.whole) / self.chosen_length

    def means(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean log-probability of a token of each answer."""
        return self.chosen / self.chosen_length, self.rejected / self.rejected_length


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
    found_K = token_log_probabilities(logits_BTV, labels_BT)
    answers_K = answers_BT[:, 1:][labels_BT[:, 1:] != IGNORED]
    lengths_B = answers_K.bincount(minlength=int(answers_BT.max()) + 1)

    def summed(values_K: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return values_K.new_zeros(len(lengths_B)).index_add(0, answers_K, values_K).chunk(2)

    whole = None
    if beyond != 1:
        whole = summed(found_K)[0]
        shorter_n = torch.minimum(*lengths_B.chunk(2))
        numbers_K = torch.arange(len(found_K), device=found_K.device)
        number_K = numbers_K - (lengths_B.cumsum(0) - lengths_B)[answers_K]
        over_K = number_K >= torch.cat([shorter_n, shorter_n])[answers_K]
        found_K = torch.where(over_K, beyond * found_K, found_K)
    (chosen, rejected), lengths = summed(found_K), lengths_B.chunk(2)
    return Answers(chosen, rejected, lengths[0], lengths[1], whole)


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
        reference: by the reference; None where the loss has no use for it.
    """
    rewards, of_margin = LOSSES[stage.loss]
    chosen, rejected = rewards(stage, policy, reference)
    loss = of_margin(stage, chosen - rejected)
    if weight := stage.weight_of_answers:
        loss = loss - weight * policy.mean_of_answers()
    return Judgement(loss, chosen, rejected)


Pair = tuple[torch.Tensor, torch.Tensor]


def _ratios(stage: DirectPreference, policy: Answers, reference: Answers | None) -> Pair:
    """Return beta times the log-ratios to the reference (DPO, equation 5)."""
    assert reference is not None  # noqa: S101 - `needs_reference` told so
    beta = stage.factor
    return beta * (policy.chosen - reference.chosen), beta * (policy.rejected - reference.rejected)


def _mean_ratios(stage: DirectPreference, policy: Answers, reference: Answers | None) -> Pair:
    """Return the same of a token on average, as IPO's authors advise."""
    assert reference is not None  # noqa: S101 - `needs_reference` told so
    pairs = zip(policy.means(), reference.means(), strict=True)
    first, second = (stage.factor * (one - other) for one, other in pairs)
    return first, second


def _sums(stage: DirectPreference, policy: Answers, _: Answers | None) -> Pair:
    return stage.factor * policy.chosen, stage.factor * policy.rejected


def _means(stage: DirectPreference, policy: Answers, _: Answers | None) -> Pair:
    chosen, rejected = policy.means()
    return stage.factor * chosen, stage.factor * rejected


def _odds(stage: DirectPreference, policy: Answers, _: Answers | None) -> Pair:  # noqa: ARG001
    """Return the log-odds of a token on average (ORPO, equation 4)."""
    chosen, rejected = policy.means()
    return _log_odds(chosen), _log_odds(rejected)


def _log_odds(logps: torch.Tensor) -> torch.Tensor:
    """Return log(p / (1 - p)) of log p, finite where p is 1 but for rounding."""
    below = logps.clamp(max=-torch.finfo(logps.dtype).tiny)
    # 1 - exp(x) has lost all its digits where x is near 0, expm1 none
    return logps - torch.log(-torch.expm1(below))


def _sigmoid(stage: DirectPreference, margin: torch.Tensor) -> torch.Tensor:
    """Return DPO's, equation 7; with noisy labels the one of cDPO."""
    smoothing = stage.label_smoothing
    return -(1 - smoothing) * logsigmoid(margin) - smoothing * logsigmoid(-margin)


def _weighted(stage: DirectPreference, margin: torch.Tensor) -> torch.Tensor:
    """Return ORPO's of the odds ratio, equation 6, with its weight."""
    return -stage.factor * logsigmoid(margin)


def _robust(stage: DirectPreference, margin: torch.Tensor) -> torch.Tensor:
    """Return the unbiased one under noisy labels."""
    smoothing = stage.label_smoothing
    found = -(1 - smoothing) * logsigmoid(margin) + smoothing * logsigmoid(-margin)
    return found / (1 - 2 * smoothing)


def _hinge(_: DirectPreference, margin: torch.Tensor) -> torch.Tensor:
    return torch.relu(1 - margin)


def _squared(stage: DirectPreference, margin: torch.Tensor) -> torch.Tensor:
    """Return IPO's, equation 17, tau being beta."""
    return (margin / stage.factor - 1 / (2 * stage.factor)) ** 2


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


class PairTrainer(AnswerTrainer):
    """Trains on pairs of answers: its loss is the mean over the pairs of a step."""

    def counted_in(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return which of the n pairs, 2n answers, of a batch are counted."""
        return super().counted_in(batch).chunk(2)[0]


class PreferenceTrainer(PairTrainer):
    """Trains on pairs of answers, compared with what a reference makes of them."""

    means = ("accuracy", "margin", "chosen_reward", "rejected_reward")
    falling = frozenset({"rejected_reward"})

    def __init__(self, job: TrainingJob, stage: DirectPreference) -> None:
        """Note the reference, where the loss compares with one."""
        super().__init__(job)
        self.stage = stage
        self._told: Pair | None = None
        """What the reference makes of the batch at hand."""
        self._reference: Reference | OtherModel | None = None
        if stage.needs_reference:
            other = stage.reference
            self._reference = Reference(job) if other is None else OtherModel(job, other)
        if stage.precompute_reference:
            self._precompute()

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **settings: Any) -> Any:
        """Ask the reference, unless it told before, and return the loss."""
        batch = {key: one for key, one in inputs.items() if key != TOLD}
        if TOLD in inputs:
            self._told = inputs[TOLD].unbind(1)
        elif self._reference is not None:
            self._told = self._asked(batch)
        return super().compute_loss(model, batch, *args, **settings)

    def loss_of(self, outputs: Any, labels_BT: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the losses, which pairs are told apart rightly, and margins and rewards."""
        policy = self._answers(outputs.logits, labels_BT, self.answers_BT)
        reference = None
        if self._told is not None:
            reference = policy._replace(chosen=self._told[0], rejected=self._told[1])
        found = judged(self.stage, policy, reference)
        margin = (found.chosen - found.rejected).detach()
        return found.loss, margin > 0, margin, found.chosen, found.rejected

    def _answers(
        self, logits_BTV: torch.Tensor, labels_BT: torch.Tensor, answers_BT: torch.Tensor
    ) -> Answers:
        return log_probabilities(logits_BTV, labels_BT, answers_BT, self.stage.beyond_shorter)

    def _asked(self, batch: Mapping[str, Any]) -> Pair:
        """Return what the reference makes of the answers of a batch."""
        assert self._reference is not None  # noqa: S101 - whoever asks has one
        if isinstance(self._reference, OtherModel):
            batch = padded(batch)
        with self._reference() as model:
            logits = model(**{key: one for key, one in batch.items() if key != "labels"}).logits
            found = self._answers(logits, batch["labels"], answers_in(batch))
        return found.chosen, found.rejected

    def _precompute(self) -> None:
        """Ask the reference of all rows, keep what it tells with them, and let it go.

        A run that is gone on with asks again: its weights are read when this is done.
        """
        sets: Any = self.eval_dataset or {}
        self.train_dataset = self._told_rows("data", self.train_dataset)
        told = {name: self._told_rows(name, rows) for name, rows in sets.items()}
        self.eval_dataset = told or None
        self.data_collator = ToldCollator(self.data_collator)
        self._reference = None

    def _told_rows(self, name: str, rows: Any) -> ToldRows:
        """Return rows, each with what the reference makes of it; each process asks of its share.

        Raises:
            BadData: the rows are streamed.
        """
        if isinstance(rows, Stream):
            raise BadData(
                "`stage.precompute_reference` goes through all rows before the first step, and "
                "these are streamed. Leave it out, or turn streaming off."
            )
        size, total = self.args.eval_batch_size, len(rows)
        say = partial(self.job.reporter.say, "reference")
        say(f"asked beforehand of {counted(total, 'row', 'rows')} of {name}")
        tell = now_and_then(lambda count: say(f"{count:,} of {total:,} rows of {name} asked"))
        told_N2 = torch.zeros(total, 2, device=self.args.device)
        with self.accelerator.autocast():  # as the loop has it later
            for start in range(rank() * size, total, world() * size):
                tell(start)
                some = [rows[number] for number in range(start, min(start + size, total))]
                batch = self._prepare_inputs(self.data_collator(some))
                told_N2[start : start + len(some)] = torch.stack(self._asked(batch), dim=1)
        return ToldRows(rows, self.accelerator.reduce(told_N2, "sum").cpu())
