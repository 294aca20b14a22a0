"""The loss of judged answers, their batches and trainer; a sibling of the plugin: it needs torch.

Source: Ethayarajh et al., 2024, https://arxiv.org/abs/2402.01306, section 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from luthier.core.templates import IGNORED
from luthier.plugins.stages.answers import AnswerTrainer, counted_answers, token_log_probabilities
from luthier.plugins.stages.reference import Reference

if TYPE_CHECKING:
    from luthier.core.hooks import Collator
    from luthier.core.run.job import TrainingJob
    from luthier.plugins.stages.kto import KahnemanTversky

DESIRABLE, MISMATCHED = "desirable", "mismatched"
"""What a batch has besides ids and labels: which answers are good, and a batch of pairs of a prompt
and another row's answer."""


def judged_losses(
    stage: KahnemanTversky, ratios_N: torch.Tensor, desirable_N: torch.Tensor, kl: torch.Tensor
) -> torch.Tensor:
    """Return lambda_y - v(x, y) of answers, (n,).

    Args:
        stage: beta, and the weights of good and of bad answers.
        ratios_N: the log-ratios of answers to the reference.
        desirable_N: which answers are good.
        kl: z, the point that log-ratios are compared with; a number.
    """
    over_N = stage.beta * (ratios_N - kl)
    # lambda - lambda sigmoid(x) is lambda sigmoid(-x)
    good_N = stage.desirable_weight * (-over_N).sigmoid()
    bad_N = stage.undesirable_weight * over_N.sigmoid()
    return torch.where(desirable_N, good_N, bad_N)


class JudgedCollator:
    """Makes a batch of answers, and beside it one of each prompt with the next row's answer."""

    def __init__(self, pad: Collator, limit: int) -> None:
        """Make batches of rows.

        Args:
            pad: makes one of rows of `input_ids` and `labels`.
            limit: the most tokens of a prompt and another row's answer; more are cut off.
        """
        self._pad, self._limit = pad, limit

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return a batch in the order of the rows, whose sequences have the judgement for a name.

        `desirable` is of shape (n,). `mismatched` is absent where fewer than two rows are counted.
        """
        desirable = [bool(row.get("desirable_input_ids")) for row in rows]
        answers = [
            {key: row[f"{'' if good else 'un'}desirable_{key}"] for key in ("input_ids", "labels")}
            for row, good in zip(rows, desirable, strict=True)
        ]
        batch = {**self._pad(answers), DESIRABLE: torch.tensor(desirable)}
        counted = [one for one in answers if _start_of(one) < len(one["labels"])]
        if len(counted) > 1:
            pairs = zip(counted, [*counted[1:], counted[0]], strict=True)
            batch[MISMATCHED] = self._pad([self._mismatched(*pair) for pair in pairs])
        return batch

    def _mismatched(self, asked: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
        """Return the prompt of one row with the answer of another."""
        prompt, answer = asked["input_ids"][: _start_of(asked)], _start_of(said)
        ids = [*prompt, *said["input_ids"][answer:]]
        labels = [*[IGNORED] * len(prompt), *said["labels"][answer:]]
        return {"input_ids": ids[: self._limit], "labels": labels[: self._limit]}


def _start_of(row: Mapping[str, Any]) -> int:
    """Return where the answer of a row begins; its end where no token of it is counted."""
    counted = (place for place, label in enumerate(row["labels"]) if label != IGNORED)
    return next(counted, len(row["labels"]))


class JudgedTrainer(AnswerTrainer):
    """Trains on judged answers; the reference is the model as it began."""

    means = ("desirable", "desirable_reward", "undesirable_reward", "kl")
    falling = frozenset({"undesirable_reward", "kl"})

    def __init__(self, job: TrainingJob, stage: KahnemanTversky) -> None:
        """Note the reference."""
        super().__init__(job)
        self.stage = stage
        self._reference = Reference(job)
        self._desirable_N = self._told_N = self._kl = torch.empty(0)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **settings: Any) -> Any:
        """Ask the reference, estimate the KL, and return the loss."""
        batch = {key: one for key, one in inputs.items() if key not in {DESIRABLE, MISMATCHED}}
        mismatched = inputs.get(MISMATCHED)
        self._desirable_N = inputs[DESIRABLE]
        with self._reference() as reference:
            self._told_N = _summed(reference, batch)
            found = None if mismatched is None else (mismatched, _summed(reference, mismatched))
        self._kl = self._estimated(found)
        return super().compute_loss(model, batch, *args, **settings)

    def loss_of(self, outputs: Any, labels_BT: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the losses, which answers are good, the rewards of these and of others, and z."""
        ratios_N = _sums(outputs.logits, labels_BT) - self._told_N
        good_N, kl = self._desirable_N, self._kl
        loss_N = judged_losses(self.stage, ratios_N, good_N, kl)
        rewards_N = self.stage.beta * ratios_N.detach()
        return loss_N, good_N, rewards_N * good_N, rewards_N * ~good_N, kl.expand_as(ratios_N)

    def logged_means(self, means: dict[str, float]) -> dict[str, float]:
        """Return the rewards, each the mean over the answers of its kind, their margin, and z."""
        share, found = means["desirable"], {"kl": means["kl"]}
        if share > 0:
            found["desirable_reward"] = means["desirable_reward"] / share
        if share < 1:
            found["undesirable_reward"] = means["undesirable_reward"] / (1 - share)
        if 0 < share < 1:
            found["margin"] = found["desirable_reward"] - found["undesirable_reward"]
        return found

    @torch.no_grad()
    def _estimated(
        self, mismatched: tuple[Mapping[str, torch.Tensor], torch.Tensor] | None
    ) -> torch.Tensor:
        """Return z, the mean log-ratio of mismatched pairs on all processes, zero at the least.

        Args:
            mismatched: a batch of them, and what the reference makes of it; None where there are
                none. If no process has any, z is zero.
        """
        total = torch.zeros(2, device=self._told_N.device)
        if mismatched is not None:
            batch, told_N = mismatched
            ratios_N = _summed(self.job.opened.model, batch) - told_N
            # of a long prompt the answer may be cut off
            total += torch.stack([ratios_N.sum(), counted_answers(batch).sum()])
        summed, pairs = self.accelerator.reduce(total, "sum").unbind()
        kl: torch.Tensor = (summed / pairs.clamp(min=1)).clamp(min=0)
        return kl


def _summed(model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the log-probability of each answer of a batch by a model, (n,)."""
    given = {key: one for key, one in batch.items() if key != "labels"}
    return _sums(model(**given).logits, batch["labels"])


def _sums(logits_BTV: torch.Tensor, labels_BT: torch.Tensor) -> torch.Tensor:
    """Return the log-probability of the answer of each row, (B,)."""
    logps_K = token_log_probabilities(logits_BTV, labels_BT)
    rows_K = (labels_BT[:, 1:] != IGNORED).nonzero()[:, 0]
    return logps_K.new_zeros(len(labels_BT)).index_add(0, rows_K, logps_K)
