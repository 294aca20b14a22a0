"""Logits that are not computed before they are asked for, and then a chunk of tokens at a time.

The head gives a `DeferredLogits` in place of its logits: the hidden states, and how logits are made
of them. What a model does to each logit by itself, such as a soft cap, is kept to be done later;
slices and other shapes are taken of the hidden states; and `cross_entropy` computes the logits of
the tokens that it counts, a chunk at a time. Whatever else is asked of them gets the logits of all
tokens, so that nothing is ever wrong, only large.

Source: the protocol that torch offers to classes which behave like tensors,
https://docs.pytorch.org/docs/stable/notes/extending.html#extending-torch-python-api
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from luthier.plugins.patches.chunked_losses import separate_losses, summed_losses

logger = logging.getLogger(__name__)

Step = Callable[[torch.Tensor], torch.Tensor]

CHUNK = 2**25
"""Logits of a chunk: 128 MiB in float32. Of fewer, the gradients of a trained head are summed more
often; under 32 MiB they fragment the heap (docs/benchmarks.md)."""


class DeferredHead:
    """What stands in the place of a head's forward pass."""

    def __init__(self, forward: Step, tokens: int | None) -> None:
        """Defer a head.

        Args:
            forward: its forward pass, from (..., D) to (..., V).
            tokens: how many are in a chunk; None for as many as have `CHUNK` logits.
        """
        self.forward = forward
        self.tokens = tokens
        self.whole: list[str] = []
        """The functions that wanted the logits of all tokens."""
        self.told = False

    def __call__(self, hidden: torch.Tensor) -> DeferredLogits:
        """Return logits of shape (..., V) of hidden states of shape (..., D)."""
        device = hidden.device.type
        # the head is called when the model's own autocast has ended
        cast = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
        recipe = _Recipe(self, device, *cast, torch.is_grad_enabled())
        return DeferredLogits.of(hidden, recipe, recipe(hidden.reshape(-1, hidden.shape[-1])[:0]))

    def tokens_of(self, vocabulary: int) -> int:
        """Return how many tokens are in a chunk, whose logits are so wide."""
        return self.tokens or max(1, CHUNK // vocabulary)

    def tell_whole(self, name: str, *, trained: bool) -> None:
        """Note that a function wanted the logits of all tokens; where they are trained, say so."""
        self.whole.append(name)
        if trained and not self.told:
            self.told = True
            logger.warning("the logits of all tokens are computed at once, for `%s`", name)


class _Recipe(NamedTuple):
    """How logits are made of hidden states."""

    head: DeferredHead
    device: str
    autocast: bool
    dtype: torch.dtype
    grad: bool
    steps: tuple[Step, ...] = ()

    def __call__(self, hidden_ND: torch.Tensor) -> torch.Tensor:
        # what came of a forward pass without gradients has none later either
        with torch.set_grad_enabled(self.grad and torch.is_grad_enabled()):
            with torch.autocast(self.device, dtype=self.dtype, enabled=self.autocast):
                logits_NV = self.head.forward(hidden_ND)
            for step in self.steps:
                logits_NV = step(logits_NV)
        return logits_NV


class DeferredLogits(torch.Tensor):
    """Logits of shape (..., V) as hidden states of shape (..., D), and what makes the one of them.

    Attributes:
        hidden: the hidden states.
        recipe: what makes logits of (N, D) hidden states.
        none: the logits of no token, of shape (0, V): they tell V, dtype and device.
        made: the logits of all tokens, once something wanted them.
    """

    hidden: torch.Tensor
    recipe: _Recipe
    none: torch.Tensor
    made: torch.Tensor | None

    @classmethod
    def of(cls, hidden: torch.Tensor, recipe: _Recipe, none: torch.Tensor) -> DeferredLogits:
        """Return the logits that a recipe makes of hidden states."""
        make = torch.Tensor._make_wrapper_subclass  # noqa: SLF001 - it is what torch's notes use
        self: DeferredLogits = make(
            cls, (*hidden.shape[:-1], none.shape[-1]),
            dtype=none.dtype, device=none.device, requires_grad=none.requires_grad,
        )  # fmt: skip
        self.hidden, self.recipe, self.none, self.made = hidden, recipe, none, None
        return self

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Answer what is asked of logits, without computing them where that can be."""
        kwargs = kwargs or {}
        name = func.__name__
        if name in _OUTSIDE or (name == "__get__" and func.__self__.__name__ in _OUTSIDE):  # type: ignore[attr-defined]
            return super().__torch_function__(func, types, args, kwargs)  # type: ignore[no-untyped-call]
        first = args[0] if args else kwargs.get("input")
        answer: Any = NotImplemented
        if isinstance(first, DeferredLogits) and first.made is None:
            if name in _POINTWISE:
                answer = _pointwise(first, func, args, kwargs)
            elif name in _SHAPING:
                answer = _SHAPING[name](first, *args[1:], **kwargs)
        if answer is not NotImplemented:
            return answer
        return func(
            *(_whole(a, name) for a in args), **{k: _whole(v, name) for k, v in kwargs.items()}
        )

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Refuse what is asked of the numbers that are not there."""
        raise TypeError(f"{func} was called on logits that are not computed yet")

    def with_step(self, step: Step) -> DeferredLogits:
        """Return the logits that a function of each token's makes of these."""
        recipe = self.recipe._replace(steps=(*self.recipe.steps, step))
        return DeferredLogits.of(self.hidden, recipe, step(self.none))

    def of_hidden(self, hidden: torch.Tensor) -> DeferredLogits:
        """Return the logits of other hidden states, made in the same way."""
        return DeferredLogits.of(hidden, self.recipe, self.none)

    def whole(self, name: str) -> torch.Tensor:
        """Return the logits of all tokens, for a function of this name."""
        if self.made is None:
            self.recipe.head.tell_whole(name, trained=self.none.requires_grad)
            hidden = self.hidden
            logits_NV = self.recipe(hidden.reshape(-1, hidden.shape[-1]))
            self.made = logits_NV.reshape(*hidden.shape[:-1], logits_NV.shape[-1])
        return self.made


def _whole(value: Any, name: str) -> Any:
    if isinstance(value, DeferredLogits):
        return value.whole(name)
    return type(value)(_whole(v, name) for v in value) if isinstance(value, list | tuple) else value


# --- what can be done without the logits --------------------------------------------------------

_OUTSIDE = frozenset({
    "shape", "size", "dim", "ndim", "ndimension", "numel", "__len__", "dtype", "device", "layout",
    "requires_grad", "is_leaf", "is_cuda", "is_cpu", "is_floating_point", "get_device",
})  # fmt: skip
"""What is told of logits by their outside."""

_POINTWISE = frozenset({
    "add", "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide", "neg", "negative",
    "tanh", "clamp", "clip", "float", "double", "half", "bfloat16", "to", "type", "type_as",
    "contiguous", "detach", "clone",
    "__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__", "__neg__",
})  # fmt: skip
"""What is done to each logit by itself."""


def _pointwise(
    logits: DeferredLogits, func: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]
) -> Any:
    """Return the logits with a function yet to be done to each."""
    others = [*args[1:], *kwargs.values()]
    tensors = [one for one in others if isinstance(one, torch.Tensor)]
    # it may have a value for each token, or have been computed of what else has a gradient
    if any(one.ndim > 1 or one.grad_fn is not None for one in tensors):
        return NotImplemented
    return logits.with_step(lambda chunk: func(chunk, *args[1:], **kwargs))


def _indexed(logits: DeferredLogits, index: Any) -> Any:
    """Return some tokens of logits, or some of the vocabulary of all of them."""
    items = list(index) if isinstance(index, tuple) else [index]
    if any(item is None or isinstance(item, DeferredLogits) for item in items):
        return NotImplemented
    taken = sum(_axes_of(item) for item in items if item is not Ellipsis)
    if Ellipsis in [item for item in items if not isinstance(item, torch.Tensor)]:
        at = next(n for n, item in enumerate(items) if item is Ellipsis)
        items[at : at + 1] = [slice(None)] * (logits.ndim - taken)
        taken = logits.ndim
    if taken < logits.ndim:
        return logits.of_hidden(logits.hidden[tuple(items)])
    *tokens, entries = items
    if not isinstance(entries, slice):
        return NotImplemented
    chosen = logits.of_hidden(logits.hidden[(*tokens, slice(None))])
    return chosen if entries == slice(None) else chosen.with_step(lambda chunk: chunk[:, entries])


def _axes_of(item: Any) -> int:
    mask = isinstance(item, torch.Tensor) and item.dtype == torch.bool
    return item.ndim if mask else 1


def _reshaped(logits: DeferredLogits, *shape: Any) -> Any:
    """Return logits with other axes before the vocabulary's."""
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
    if not all(isinstance(size, int) for size in sizes) or sizes[-1] != logits.shape[-1]:
        return NotImplemented
    return logits.of_hidden(logits.hidden.reshape(*sizes[:-1], logits.hidden.shape[-1]))


def _flattened(logits: DeferredLogits, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Return logits with some axes before the vocabulary's as one."""
    start, end = start_dim % logits.ndim, end_dim % logits.ndim
    if end == logits.ndim - 1:
        return NotImplemented
    return logits.of_hidden(logits.hidden.flatten(start, end))


def _cross_entropy(  # noqa: PLR0913, PLR0917 - torch's signature
    logits: DeferredLogits,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    size_average: bool | None = None,  # noqa: FBT001
    ignore_index: int = -100,
    reduce: bool | None = None,  # noqa: FBT001
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Return what torch's `cross_entropy` of the same arguments does.

    Args:
        logits: logits of shape (N, V).
        target: ids of shape (N,); those of `ignore_index` are not counted, nor computed.
        weight: as in torch, like all that follow.
        size_average: an older form of `reduction`.
        ignore_index: the id that counts nothing.
        reduce: an older form of `reduction`.
        reduction: `mean` over the counted tokens, `sum`, or `none`.
        label_smoothing: the share of each target that goes to all ids alike.
    """
    older = size_average is not None or reduce is not None
    if older or weight is not None or logits.ndim != 2 or target.ndim != 1:  # noqa: PLR2004
        return NotImplemented

    def losses_of(hidden_CD: torch.Tensor, target_C: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(
            logits.recipe(hidden_CD), target_C, reduction="none", label_smoothing=label_smoothing
        )

    counted_N = (target != ignore_index).nonzero().squeeze(1)
    hidden_KD = logits.hidden[counted_N.to(logits.hidden.device)]
    size = logits.recipe.head.tokens_of(logits.shape[-1])
    given = losses_of, hidden_KD, target[counted_N], size
    if reduction == "none":
        losses_K = separate_losses(*given)
        return losses_K.new_zeros(len(target)).index_put((counted_N,), losses_K)
    return summed_losses(*given) / (len(counted_N) if reduction == "mean" else 1)


_SHAPING: Mapping[str, Callable[..., Any]] = {
    "__getitem__": _indexed,
    "view": _reshaped,
    "reshape": _reshaped,
    "flatten": _flattened,
    "cross_entropy": _cross_entropy,
}
