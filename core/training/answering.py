"""Answers that a model in training gives to held-out prompts, beside those that the data has.

The prompts are made of encoded rows, of any stage: the ids of a prompt are a prefix of those that
are trained on, since text is cut where the loss changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from luthier.core.data.columns import field_of, unfolded
from luthier.core.data.encoding import ANSWERED, PROMPT
from luthier.core.errors import BadData
from luthier.core.model.generation import generation_config, within_positions
from luthier.core.model.modes import evaluated
from luthier.core.run.reporting import quiet_libraries
from luthier.core.templates import IGNORED
from luthier.core.training.state import random_state, restore_random_state

if TYPE_CHECKING:
    from transformers import GenerationConfig

    from luthier.core.hooks import Items
    from luthier.core.model.opening import OpenModel
    from luthier.core.run.job import TrainingJob


class Question(NamedTuple):
    """A prompt, and the answer that the data has."""

    prompt: list[int]
    label: list[int]
    """Its ids; empty where a row has none."""


class Answer(NamedTuple):
    """A question as text, and what the model answered; none holds special tokens, nor its end."""

    prompt: str
    answer: str
    label: str


def questions_of(items: Items, count: int | None = None) -> list[Question]:
    """Return the questions of encoded rows, or of packs of them, in their order.

    A row asks all that stands before the last stretch of it that the loss counts, a preference
    what both its answers are to. A row of which nothing stands before that asks nothing.

    Args:
        items: what a stage's batches are made of.
        count: how many are wanted at most; all where it is None.
    """
    rows = chain.from_iterable(_rows(items[n]) for n in range(len(items)))
    return list(islice((one for one in map(_question, rows) if one is not None), count))


def require_questions(job: TrainingJob, count: int | None) -> dict[str, list[Question]]:
    """Return questions of each validation set of a run, by the set's name.

    Args:
        job: the run.
        count: how many are wanted of a set at most; all where it is None.

    Raises:
        BadData: none of them has any.
    """
    found = {name: questions_of(items, count) for name, items in job.validation.items()}
    if not any(found.values()):
        raise BadData(
            "no row of the validation set has a prompt to be answered: all of its text is trained. "
            "Leave out the callbacks that have the model answer, or hold out conversations."
        )
    return {name: questions for name, questions in found.items() if questions}


def _rows(item: Any) -> Sequence[Mapping[str, Any]]:
    return [item] if isinstance(item, Mapping) else item


def _question(row: Mapping[str, Any]) -> Question | None:
    if field_of(PROMPT, "input_ids") in row:
        pairs = [row.get(field_of(ANSWERED, field)) or () for field in ("input_ids", "labels")]
        answered = [int(i) for i, label in zip(*pairs, strict=True) if label != IGNORED]
        return Question([*map(int, row[field_of(PROMPT, "input_ids")])], answered)
    sequences = unfolded([row])
    if not sequences:
        return None
    ids, labels = ([*map(int, sequences[0][field])] for field in ("input_ids", "labels"))
    end = next((n for n in range(len(labels), 0, -1) if labels[n - 1] != IGNORED), 0)
    start = next((n for n in range(end, 0, -1) if labels[n - 1] == IGNORED), 0)
    return Question(ids[:start], ids[start:end]) if start else None


# --- answers --------------------------------------------------------------------------------


def answers(
    job: TrainingJob, questions: Sequence[Question], tell: Callable[[int], None] | None = None
) -> list[Answer]:
    """Return what the model of a run answers, by its `generation`: greedily without a temperature.

    The training goes on as if nobody had asked.

    Args:
        job: the run.
        questions: what is asked, in batches of `evaluation.batch_size`.
        tell: is told after each batch how many are answered.
    """
    size = job.run.evaluation.batch_size or job.run.training.batch_size
    # those of about one length together, so that few places are pads; the longest first, so that
    # a batch which does not fit is the first one
    order = sorted(range(len(questions)), key=lambda n: -len(questions[n].prompt))
    found: dict[int, list[int]] = {}
    settings = generation_config(job.opened, job.run.generation, greedy=True)
    settings.use_cache = True  # training may have it off
    with _asked(job), quiet_libraries():
        for begin in range(0, len(order), size):
            numbers = order[begin : begin + size]
            made = _generated(job.opened, settings, [questions[n].prompt for n in numbers])
            found.update(zip(numbers, made, strict=True))
            if tell is not None:
                tell(len(found))
    text, ends = job.opened.tokenizer.decode, _ends_of(settings)
    of = [(prompt, found[n], _ended(label, ends)) for n, (prompt, label) in enumerate(questions)]
    return [Answer(*(str(text(ids, skip_special_tokens=True)) for ids in one)) for one in of]


@contextmanager
def _asked(job: TrainingJob) -> Iterator[None]:
    """Have the model as it is evaluated, and all as it was afterwards."""
    model, run, state = job.opened.model, job.run, random_state()
    mixed = run.training.precision == "mixed" and job.dtype != "float32"
    kind = model.device.type
    try:
        with (
            evaluated(model),
            torch.no_grad(),
            torch.autocast(kind, getattr(torch, job.dtype)) if mixed else nullcontext(),
        ):
            yield
    finally:
        restore_random_state(state)


def _generated(
    opened: OpenModel, settings: GenerationConfig, prompts: Sequence[list[int]]
) -> list[list[int]]:
    """Return the ids of answers, each up to the one that ended it."""
    longest = max(map(len, prompts))
    settings = within_positions(opened, settings, longest)
    ids_BP = torch.full((len(prompts), longest), settings.pad_token_id, dtype=torch.long)
    seen_BP = torch.zeros_like(ids_BP)
    for n, prompt in enumerate(prompts):  # on the left, so that all answers begin at one place
        ids_BP[n, longest - len(prompt) :] = torch.tensor(prompt)
        seen_BP[n, longest - len(prompt) :] = 1
    device = opened.model.device
    ids_BT = opened.model.generate(
        input_ids=ids_BP.to(device), attention_mask=seen_BP.to(device), generation_config=settings
    )
    ends = _ends_of(settings)
    return [_ended(ids, ends) for ids in ids_BT[:, longest:].tolist()]


def _ends_of(settings: GenerationConfig) -> set[int | None]:
    stops = settings.eos_token_id
    return set(stops if isinstance(stops, list) else [stops])


def _ended(ids: list[int], ends: set[int | None]) -> list[int]:
    end = next((n for n, one in enumerate(ids) if one in ends), len(ids))
    return ids[:end]
