"""Where the bytes of a fine-tuning go: of each weight of the model, term by term, by arithmetic.

A run's own tensors are counted beside it (`benchmarks/methods.py`). Activations are not here: they
go with the batch, and not with the weights.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

TERMS = ("weights", "master copy", "constants", "gradients", "optimizer")
FLOAT = 4
BLOCK, BLOCKS = 64, 256
"""Weights that share a scale, and scales that share one in turn (QLoRA, section 3)."""
NF4 = 0.5
CONSTANTS = 1 / BLOCK + FLOAT / (BLOCK * BLOCKS)
"""Bytes of a 4-bit weight for its scales: 8 bits to 64 weights, 32 bits to 256 of these."""
MOMENTS_IN_BLOCKS = 2 * (1 + FLOAT / 256)
"""Bytes of a weight for two moments in 8 bits, with a scale to 256 (Dettmers et al., 2022)."""
SMALLEST = 4096
"""Tensors of fewer values have their moments in 32 bits there, and so has an embedding."""


class Shape(NamedTuple):
    """The sizes of a Llama, or of what is built like one."""

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    shared: int
    """Heads of keys and values."""
    size: int
    """Of a head."""
    tied: bool = False
    """Whether the head's weights are the embedding's."""

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """The linear layers of one block, as outputs and inputs."""
        queries, keys = self.heads * self.size, self.shared * self.size
        wide = (self.intermediate, self.hidden)
        return [
            (queries, self.hidden), (keys, self.hidden), (keys, self.hidden),
            (self.hidden, queries), wide, wide, wide[::-1],
        ]  # fmt: skip

    @property
    def linear(self) -> int:
        """The weights of all blocks' linear layers."""
        return self.layers * sum(rows * columns for rows, columns in self.matrices)

    @property
    def embeddings(self) -> int:
        """The weights of embedding and head."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def norms(self) -> int:
        """The weights of all norms."""
        return self.hidden * (2 * self.layers + 1)

    @property
    def weights(self) -> int:
        """All weights."""
        return self.linear + self.embeddings + self.norms

    def adapter(self, rank: int) -> int:
        """Return the weights of LoRA beside each linear layer of the blocks."""
        return self.layers * sum(rank * (rows + columns) for rows, columns in self.matrices)


SHAPES = {
    "30m": Shape(16_000, 384, 1024, 10, 6, 6, 64),
    "gemma-2b": Shape(256_000, 2048, 16_384, 18, 8, 1, 256, tied=True),
    "llama2-7b": Shape(32_000, 4096, 11_008, 32, 32, 32, 128),
    "llama2-13b": Shape(32_000, 5120, 13_824, 40, 40, 40, 128),
}


def trained(shape: Shape, method: str, *, rank: int, layers: int) -> int:
    """Return how many weights a method trains."""
    if method in {"lora", "qlora"}:
        return shape.adapter(rank)
    if method == "freeze":
        return layers * (shape.linear // shape.layers + 2 * shape.hidden)
    return 0 if method == "baseline" else shape.weights


def bytes_of(
    shape: Shape, method: str, *, width: int, rank: int, layers: int, bits: int = 32
) -> dict[str, float]:
    """Return the bytes of each term, for a weight of the model.

    Args:
        shape: the model's.
        method: the tuning method.
        width: bytes of what is held in floats: weights, gradients, bases, moments of 32 bits.
        rank: of LoRA and GaLore.
        layers: the last so many are trained by freeze-tuning.
        bits: of the moments, 8 or 32 (which stands for `width`).
    """
    changed = trained(shape, method, rank=rank, layers=layers)
    adapter = changed if method in {"lora", "qlora"} else 0
    held = width * (shape.weights + adapter)
    constants = 0.0
    if method == "qlora":
        held -= (width - NF4) * shape.linear
        constants = CONSTANTS * shape.linear
    # layer-wise, GaLore uses each gradient up in the backward pass that it comes from
    gradients = 0 if method == "galore" else width * changed
    terms = {
        "weights": held, "master copy": 0.0, "constants": constants, "gradients": gradients,
        "optimizer": _moments(shape, method, width, rank, layers, bits),
    }  # fmt: skip
    return {term: value / shape.weights for term, value in terms.items()}


def _moments(shape: Shape, method: str, width: int, rank: int, layers: int, bits: int) -> float:
    """Return the bytes of the optimizer's state."""
    whole = 2 * width
    small = MOMENTS_IN_BLOCKS if bits == 8 else whole  # noqa: PLR2004 - the other is 32
    # in 32 bits beside moments of 8 bits
    apart = 2 * FLOAT if bits == 8 else whole  # noqa: PLR2004

    def moments(values: int) -> float:
        return values * (small if values >= SMALLEST else apart)

    if method in {"lora", "qlora"}:
        pairs = [rank * side for matrix in shape.matrices for side in matrix]
        return shape.layers * sum(map(moments, pairs))
    norms = apart * shape.hidden
    if method == "freeze":
        return layers * (sum(moments(math.prod(one)) for one in shape.matrices) + 2 * norms)
    if method == "baseline":
        return 0.0
    rest = shape.embeddings * apart + norms * (2 * shape.layers + 1)
    if method == "full":
        return rest + shape.layers * sum(moments(math.prod(one)) for one in shape.matrices)
    # of GaLore the gradient is projected on its shorter side; the basis is held, too
    return rest + shape.layers * sum(
        moments(rank * max(one)) + width * rank * min(one) for one in shape.matrices
    )


def papers(shape: Shape) -> dict[str, dict[str, float]]:
    """Return the terms of the paper's three figures, of sections 1 and 2.2: 18, 8 and 0.6 bytes.

    18 is mixed precision as Micikevicius et al. (2018) have it: weights in half precision and their
    float32 copy, float32 gradients and moments. 8 is all of it in bfloat16. 0.6 is QLoRA of
    Llama2-7B at rank 8, embedding and head in bfloat16 like the adapter and what trains it.
    """
    return {
        "full, mixed precision": dict(zip(TERMS, (2.0, 4.0, 0.0, 4.0, 8.0), strict=True)),
        "full, bfloat16": bytes_of(shape, "full", width=2, rank=0, layers=0),
        "QLoRA, rank 8, bfloat16": bytes_of(shape, "qlora", width=2, rank=8, layers=0),
    }


def told(terms: dict[str, Any]) -> str:
    """Return terms as cells of a row, and their sum."""
    cells = [f"{terms[term]:.3f}" for term in TERMS]
    return " | ".join([*cells, f"{sum(terms[term] for term in TERMS):.2f}"])
