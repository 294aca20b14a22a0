"""The loss of weighted-sft. A sibling of the plugin, since it needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.nn.functional import cross_entropy

from luthier.core.templates import IGNORED

if TYPE_CHECKING:
    from torch import Tensor


def smoothed_loss(
    outputs: Any,
    labels_BT: Tensor,
    num_items_in_batch: Tensor | int | None = None,
    *,
    smoothing: float,
) -> Tensor:
    """Return the label-smoothed cross entropy, as the true mean over the tokens of a step.

    The target of a token is (1 - smoothing) on the right id, and smoothing / V on each of the V
    ids of the vocabulary (Szegedy et al., 2016, equation 6).

    Args:
        outputs: a model's output with `logits` of shape (B, T, V).
        labels_BT: ids, -100 where the loss does not count; label t is predicted at t - 1.
        num_items_in_batch: counted tokens of the whole optimizer step, all of its micro-batches
            together; this batch's own where it is None.
        smoothing: from 0, which is the plain cross entropy, to below 1.

    Returns:
        A float32 scalar, in nats per token.
    """
    logits_BTV = outputs["logits"][:, :-1].float()
    targets_BT = labels_BT[:, 1:].to(logits_BTV.device)
    total = cross_entropy(
        logits_BTV.flatten(0, 1),
        targets_BT.flatten(),
        ignore_index=IGNORED,
        reduction="sum",
        label_smoothing=smoothing,
    )
    count = (targets_BT != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
    return total / count
