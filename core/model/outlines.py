"""Models that are built of a config alone, without memory for their weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_memory() -> Iterator[None]:
    """Have modules that are made be on torch's meta device, as transformers makes those it loads.

    Code that comes with a model may read numbers off a tensor that it makes, which have to be real.
    """
    import torch
    from transformers.initialization import meta_device_safe_creation_ops

    with torch.device("meta"), meta_device_safe_creation_ops():
        yield
