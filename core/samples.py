"""What a model answers in training, and what scores it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Sample(NamedTuple):
    """A prompt, and one answer to it that the model gave."""

    prompt: str
    """The prompt as the chat template renders it, without special tokens."""
    answer: str
    """The answer, without special tokens."""
    reference: str
    """The answer that the row of the data has; empty where it has none."""
    prompt_ids: list[int]
    answer_ids: list[int]
    """The answer's ids, the token that ended it among them, if one did."""


Reward = Callable[[Sequence[Sample]], Sequence[float]]
"""Returns the score of each of some samples, the higher the better."""
