"""Which of several processes this one is: what a launcher such as torchrun says in the environment.

All of them train one run. The first writes the run folder and speaks; the others compute.
"""

from __future__ import annotations

import os


def world() -> int:
    """Return how many processes train the run together; 1 where no launcher began them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return the number of this process among them, from 0."""
    return int(os.environ.get("RANK", "0")) if world() > 1 else 0


def is_first() -> bool:
    """Return whether this process is the one that writes and speaks."""
    return rank() == 0
