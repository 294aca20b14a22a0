"""What tells whether a merged model answers as its base with the adapter does.

The logits of what was written may differ by what rounding its weights does, which is measured, and
by what sums in another order do. An adapter that changes less than that cannot be told from none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

    from luthier.core.model.opening import OpenModel

TEXTS = (
    "What is the capital of France?",
    "Explain in two sentences why the sky is blue.",
    "Schreibe ein kurzes Gedicht über den Herbst.",
    "def fibonacci(n):\n    if n < 2:\n        return n\n",
    "请用一句话介绍北京的历史。",
    "A train leaves at 9:40 and arrives at 13:05. How long does it take?",
    "Liste trois fruits rouges.",
    '{"name": "Ada", "born": 1815, "tags": ["mathematics", "engines"]}',
)
"""What the models are asked to continue; more prompts than these are the same with numbers."""
SUMS = 1e-3
"""The most that a logit may differ where nothing is rounded but the sums, in float32."""
KERNELS = 0.5
"""Likewise, where kernels of few bits compute in half precision, whatever the model does."""
CEILINGS = {"float32": SUMS, "float16": 0.05, "bfloat16": 0.5}
"""The most that a logit may differ however much rounding does, by the precision that is written."""


class Gap(NamedTuple):
    """How far one model's answers are from another's."""

    difference: float
    """The most that a logit differs."""
    divergence: float
    """The mean KL divergence, in nats per token."""

    def within(self, bound: Gap) -> bool:
        """Return whether neither is over a bound; what is no number is."""
        return self.difference <= bound.difference and self.divergence <= bound.divergence


def bounded(most: float, rounding: Gap | None = None, ceiling: float | None = None) -> Gap:
    """Return how far answers may be from others that are meant to be the same.

    Where no logit differs by more than d, the divergence is d² / 2 at most (Hoeffding's lemma).
    Distances of two causes add up, and a divergence is as the square of one: (a + b)² is at most
    2a² + 2b².

    Args:
        most: the most that a logit may differ for other causes than rounding.
        rounding: what rounding does.
        ceiling: the most that a logit may differ at all.
    """
    found = Gap(most, most**2)
    if rounding is not None:
        found = Gap(most + 2 * rounding.difference, most**2 + 2 * rounding.divergence)
    return found if ceiling is None else found._replace(difference=min(found.difference, ceiling))


def prompts_of(opened: OpenModel, count: int) -> list[list[int]]:
    """Return ids of texts; the tokens that are new to the model stand at the end of the first."""
    texts = [f"{TEXTS[n % len(TEXTS)]}{f' {n}' if n >= len(TEXTS) else ''}" for n in range(count)]
    rows = [opened.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    return [[*rows[0], *opened.vocabulary.ids], *rows[1:]]


def logits_of(model: Any, rows: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """Return logits of shape (T, V) of each row, in float32."""
    import torch

    model.eval()
    with torch.inference_mode():
        return [
            model(input_ids=torch.tensor([row], device=model.device)).logits[0].float().cpu()
            for row in rows
        ]


def gap_of(expected: Sequence[torch.Tensor], found: Sequence[torch.Tensor]) -> Gap:
    """Return how far logits of shape (T, V) are from those that are expected, row by row."""
    import torch
    from torch.nn.functional import kl_div

    differences, divergences = [], []
    for expected_TV, found_TV in zip(expected, found, strict=True):
        differences.append((expected_TV - found_TV).abs().max())
        log_p_TV, log_q_TV = (one.double().log_softmax(-1) for one in (expected_TV, found_TV))
        divergences.append(kl_div(log_q_TV, log_p_TV, reduction="sum", log_target=True))
    divergence = torch.stack(divergences).sum() / sum(map(len, expected))
    return Gap(torch.stack(differences).max().item(), divergence.clamp(min=0).item())


def rounding_of(model: Any, dtype: str, rows: Sequence[Sequence[int]]) -> Gap:
    """Round the parameters of a model in float32 to another precision; return what that does.

    They stay in float32: buffers, such as the frequencies of positions, are not written.
    """
    import torch

    if dtype == "float32":
        return Gap(0.0, 0.0)
    whole = logits_of(model, rows)
    with torch.no_grad():
        for one in model.parameters():
            if one.is_floating_point():
                one.copy_(one.to(getattr(torch, dtype)))
    return gap_of(whole, logits_of(model, rows))
