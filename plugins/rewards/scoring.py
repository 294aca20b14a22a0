"""Scores by a reward model. A sibling of the plugin, since it needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils.rnn import pad_sequence

from luthier.core import BadModel
from luthier.core.model.opening import saved_heads
from luthier.core.model.value_head import ValuedModel, last_values
from luthier.core.run.companions import Companion, located_beside
from luthier.plugins.stages.rm import REWARD

if TYPE_CHECKING:
    from luthier.core.model.opening import LocatedModel
    from luthier.core.model.value_head import ValueHead
    from luthier.core.run.job import TrainingJob
    from luthier.core.samples import Reward, Sample


class Scorer:
    """Scores answers at their last tokens."""

    def __init__(
        self,
        model: Any,
        head: ValueHead,
        size: int,
        switched: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Score with a head on a model.

        Args:
            model: the model.
            head: reads a score of what it makes of a token.
            size: how many answers go through it at once.
            switched: gives the context in which the model is the reward model.
        """
        self.model, self.size, self.switched = model, size, switched
        with switched():
            self.valued = ValuedModel(model, {REWARD: head.requires_grad_(requires_grad=False)})

    @torch.no_grad()
    def __call__(self, samples: Sequence[Sample]) -> list[float]:
        """Return the score of each answer."""
        found: list[float] = []
        with self.switched():
            for start in range(0, len(samples), self.size):
                found += self._scores(samples[start : start + self.size])
        return found

    def _scores(self, samples: Sequence[Sample]) -> list[float]:
        rows = [torch.tensor([*one.prompt_ids, *one.answer_ids]) for one in samples]
        ids_BT = pad_sequence(rows, batch_first=True).to(self.model.device)
        sizes_B1 = torch.tensor([[len(row)] for row in rows])
        mask_BT = (torch.arange(ids_BT.shape[1]) < sizes_B1).long().to(self.model.device)
        values_BT = self.valued(ids_BT, mask_BT, head=REWARD).values
        scores: list[float] = last_values(values_BT, mask_BT).tolist()
        return scores


def scorer_of(job: TrainingJob, path: str, size: int) -> Reward:
    """Return what scores by the reward model of a run folder.

    Args:
        job: the run that is trained; its model is open.
        path: the run folder, from where the run file finds models.
        size: how many answers are scored at once.

    Raises:
        BadModel: the folder holds no reward model, or one of another tokenizer.
    """
    remedy = (
        "Train it from the same model, or serve it and name `rewards: [{name: http, url: ...}]`."
    )
    located = located_beside(job, path, "the reward model", remedy)
    head = _head_of(located, path)
    companion = Companion.opened(job, located, REWARD)
    return Scorer(companion.model, head, size, companion.switched)


def _head_of(located: LocatedModel, path: str) -> ValueHead:
    heads = saved_heads(located)
    if REWARD not in heads:
        raise BadModel(
            f"{path} holds no reward model: no value head {REWARD!r} was saved with it. Name a run "
            "folder of the stage `rm`."
        )
    return heads[REWARD]
