"""The loss of next-token prediction, as the true mean over an accumulated batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.nn.functional import cross_entropy

from luthier.core.templates import IGNORED

if TYPE_CHECKING:
    import torch


def token_mean_loss(
    outputs: Any, labels_BT: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Return the sum of the tokens' cross entropies over the tokens of the whole step.

    Dividing by the tokens of all micro-batches of an optimizer step, rather than averaging each
    micro-batch's own mean, makes the gradient independent of how the step is cut into
    micro-batches (https://huggingface.co/blog/gradient_accumulation).

    Args:
        outputs: a model's output with `logits` of shape (B, T, V).
        labels_BT: ids, -100 where the loss does not count; label t is predicted at t - 1.
        num_items_in_batch: counted tokens of the whole step; this batch's own where it is None.

    Returns:
        A float32 scalar, in nats per token.
    """
    logits_BTV = outputs["logits"][:, :-1].float()
    targets_BT = labels_BT[:, 1:].to(logits_BTV.device)
    total = cross_entropy(
        logits_BTV.flatten(0, 1), targets_BT.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    count = (targets_BT != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
    return total / count
