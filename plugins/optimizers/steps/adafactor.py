"""transformers' Adafactor, which keeps its moments in float32 beside weights of half precision."""

from __future__ import annotations

from transformers import optimization

from luthier.plugins.optimizers.steps.parameterwise import KeptPrecision


class Adafactor(KeptPrecision, optimization.Adafactor):
    """transformers' own, whose state is read as it was written."""
