"""Losses of tokens whose gradients are computed with them, a chunk of tokens at a time.

What a chunk needs is freed before the next, and nothing is computed twice. As the loss of a token
is made of its own hidden state alone, the gradient of that is known but for a factor, which the
backward pass multiplies it by. Of a trained head the gradient is summed over the tokens, and known
only where all have the same factor; so then it is the sum of the losses that is told.

Source: Hsu et al., 2024, https://arxiv.org/abs/2410.10989, section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

LossesOf = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Returns the losses, (C,), of hidden states (C, D) and of ids that are to be predicted, (C,)."""


def summed_losses(
    losses_of: LossesOf, hidden_KD: torch.Tensor, target_K: torch.Tensor, size: int
) -> torch.Tensor:
    """Return the sum of the losses of tokens, computed so many tokens at a time."""
    leaves = _leaves_of(losses_of, hidden_KD, target_K)
    found = _ChunkedLosses.apply(losses_of, size, target_K, hidden_KD, *leaves)  # type: ignore[no-untyped-call]
    summed: torch.Tensor = found.sum()
    return summed


def separate_losses(
    losses_of: LossesOf, hidden_KD: torch.Tensor, target_K: torch.Tensor, size: int
) -> torch.Tensor:
    """Return the losses of tokens, (K,), computed so many tokens at a time.

    Where the head is trained each chunk is computed again in the backward pass.
    """
    if not _leaves_of(losses_of, hidden_KD, target_K):
        found: torch.Tensor = _ChunkedLosses.apply(losses_of, size, target_K, hidden_KD)  # type: ignore[no-untyped-call]
        return found
    chunks = zip(torch.split(hidden_KD, size), torch.split(target_K, size), strict=True)
    return torch.cat([checkpoint(losses_of, *chunk, use_reentrant=False) for chunk in chunks])


class _ChunkedLosses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        losses_of: LossesOf,
        size: int,
        target_K: torch.Tensor,
        hidden_KD: torch.Tensor,
        *leaves: torch.Tensor,
    ) -> torch.Tensor:
        """Return the losses, or with leaves their sum, and keep the gradients of that."""
        inner = ctx.needs_input_grad[3]
        losses, hidden_grads = [], []
        leaf_grads: list[torch.Tensor] = []
        for chunk_CD, target_C in zip(
            torch.split(hidden_KD, size), torch.split(target_K, size), strict=True
        ):
            own_CD = chunk_CD.detach().requires_grad_(inner)
            with torch.set_grad_enabled(inner or bool(leaves)):
                losses_C = losses_of(own_CD, target_C)
                total = losses_C.sum()
            losses.append(losses_C.detach())
            if not total.requires_grad:
                continue
            wanted = [*([own_CD] if inner else []), *leaves]
            found = list(torch.autograd.grad(total, wanted))
            if inner:
                hidden_grads.append(found.pop(0))
            if leaf_grads:
                torch._foreach_add_(leaf_grads, found)
            else:
                leaf_grads = found
        ctx.found = [torch.cat(hidden_grads) if inner else None, *leaf_grads]
        losses_K = torch.cat(losses)
        return losses_K.sum() if leaves else losses_K

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        """Return the gradients of what the losses are made of.

        Raises:
            RuntimeError: they were asked for before; they are not kept.
        """
        found, ctx.found = ctx.found, None
        if found is None:
            raise RuntimeError("the gradients of a chunked loss can be asked for once only")
        for gradient in found:
            if gradient is not None:
                gradient.mul_(upstream[:, None] if upstream.ndim else upstream)
        return None, None, None, *found


def _leaves_of(
    losses_of: LossesOf, hidden_KD: torch.Tensor, target_K: torch.Tensor
) -> list[torch.Tensor]:
    """Return what has a gradient and is in losses besides hidden states: the head's own weights."""
    if not torch.is_grad_enabled():
        return []
    return [*dict.fromkeys(_leaves(losses_of(hidden_KD[:0].detach(), target_K[:0])))]


def _leaves(value: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the tensors whose gradients are gathered, that a tensor was made of."""
    seen, todo = set(), [value.grad_fn]
    while todo:
        node: Any = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        todo += [earlier for earlier, _ in node.next_functions]
