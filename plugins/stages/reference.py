"""The reference that a stage compares with: the model as it began, or another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils.rnn import pad_sequence

from luthier.core.model.modes import evaluated
from luthier.core.model.sharing import switched_off
from luthier.core.run.companions import Companion, located_beside
from luthier.core.templates import IGNORED
from luthier.plugins.stages.answers import answers_in

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob


class Reference:
    """The model as it began, without a second one in memory.

    Where what is trained is an adapter that adds nothing at first, it is the model without it.
    Else only what is trained differs from it, so the first values of that are kept, and take the
    place of the present ones; an earlier adapter that is trained on is a part of the reference,
    which one that is switched off would not be.
    """

    def __init__(self, job: TrainingJob) -> None:
        """Note what the model is; nothing is trained yet."""
        self.model = job.opened.model
        heads = set(job.opened.value_heads)
        trained = job.opened.trained()
        self._trained = {n: p for n, p in trained.items() if not _is_of(n, heads)}
        self._adds_nothing = hasattr(self.model, "peft_config") and _adds_nothing(self._trained)
        self._first: dict[str, torch.Tensor] = {}
        if not self._adds_nothing:
            self._first = {name: one.detach().clone() for name, one in self._trained.items()}

    @contextmanager
    def __call__(self) -> Iterator[Any]:
        """Have the model be the reference, without gradients and without dropout, and give it."""
        with torch.no_grad():
            if self._adds_nothing:
                with switched_off(self.model):
                    yield self.model
                return
            with self._values_of(self._first):
                yield self.model

    @contextmanager
    def _values_of(self, values: Mapping[str, torch.Tensor]) -> Iterator[None]:
        now = {name: one.data for name, one in self._trained.items()}
        try:
            self._put(values)
            with evaluated(self.model):
                yield
        finally:
            self._put(now)

    def _put(self, values: Mapping[str, torch.Tensor]) -> None:
        for name, value in values.items():
            self._trained[name].data = value
        torch.clear_autocast_cache()  # it holds casts of the others


def _is_of(name: str, heads: set[str]) -> bool:
    return any(name.startswith(f"value_heads.{head}.") for head in heads)


def _adds_nothing(trained: Mapping[str, torch.Tensor]) -> bool:
    """Return whether all that is trained is pairs of matrices whose products are zero.

    LoRA begins so by default: the second of each pair is zero. DoRA's magnitudes, other
    initialisations, and what else an adapter may train are no such pairs.
    """
    first = {n for n in trained if ".lora_A." in n or ".lora_embedding_A." in n}
    second = {n for n in trained if ".lora_B." in n or ".lora_embedding_B." in n}
    if not second or trained.keys() - first - second:
        return False
    return not any(bool(trained[name].detach().any()) for name in second)


class OtherModel:
    """Another model as the reference, frozen; an adapter on the same weights shares them."""

    def __init__(self, job: TrainingJob, path: str) -> None:
        """Open it.

        Args:
            job: the run that is trained; its model is open.
            path: a run folder, a model's folder or a Hub id.

        Raises:
            BadModel: there is no model there, or it is one of another tokenizer.
        """
        remedy = "Name one that was trained from the same model."
        located = located_beside(job, path, "the reference", remedy)
        self._companion = Companion.opened(job, located, "reference")

    @contextmanager
    def __call__(self) -> Iterator[Any]:
        """Give the model, without gradients and without dropout."""
        with torch.no_grad(), self._companion.switched():
            yield self._companion.model


def padded(batch: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a batch with a row for each answer, as every model takes it.

    Answers that lie end to end are kept apart by what the run chose for its own model.
    """
    if "attention_mask" in batch:
        return batch
    sizes = answers_in(batch).flatten().bincount().tolist()
    ids, labels = (batch[name].flatten().split(sizes) for name in ("input_ids", "labels"))
    return {
        "input_ids": pad_sequence(ids, batch_first=True),
        "attention_mask": pad_sequence([torch.ones_like(one) for one in ids], batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
    }
