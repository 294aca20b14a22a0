"""Chunked cross entropy: the logits of all tokens never exist at once.

Logits are as wide as the vocabulary, so that with a large one they, their softmax and its gradient
are most of what a step needs. Here the head and the loss are computed only of the tokens that have
a label, a chunk at a time, in plain torch.

Source: Wijmans et al., 2024, https://arxiv.org/abs/2411.09009, with a kernel for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import BadModel, Finding, Plugin, Refusal, hookimpl
from luthier.core.model.modes import evaluated
from luthier.core.model.unwrapping import class_name
from luthier.core.run.ranks import world

if TYPE_CHECKING:
    from luthier.core.hooks import Phase, Undo
    from luthier.plugins.patches.deferred_logits import DeferredHead


class ChunkedCrossEntropy(Plugin):
    """Compute the head and the loss where a label is trained, a chunk of tokens at a time."""

    tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of a chunk, fewer of which need less memory; unset: those of 32 million logits."""

    serves: ClassVar = "training"
    traits: ClassVar = frozenset({"head-loss"})
    no_default: ClassVar = (
        Refusal("scores", "the stage learns no logits", "Leave it out"),
        Refusal("samples-answers", "the stage tells the entropy of all logits", "Leave it out"),
    )
    refuses: ClassVar = (
        Refusal("head-loss", "the head and its loss are computed in one way", "Leave one out"),
        Refusal("samples-answers", "the stage tells the entropy of all logits", "Leave it out"),
        Refusal(
            "shards-weights",
            "the head is computed where its weights are no longer gathered",
            "Leave it out",
        ),
    )

    @hookimpl
    def check_model(self) -> Iterable[Finding]:
        """Tell of several processes.

        torch's DistributedDataParallel looks for the parameters of a step in the graph of the
        model's output; deferred logits have none, so all would be taken for unused.
        """
        if world() > 1:
            said = f"{world()} processes would not find the gradients of logits that come later"
            yield Finding("", said, _WAY_OUT)

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> Undo | None:
        """Put deferred logits in the place of the head's.

        Raises:
            BadModel: the model has no head of its own, or needs the logits of all tokens itself.
        """
        if phase == "built":
            return None
        from luthier.plugins.patches.deferred_logits import DeferredHead

        head = model.get_output_embeddings()
        if head is None:
            raise BadModel(f"{class_name(model)} has no output embedding. {_WAY_OUT}")
        earlier = vars(head).get("forward")
        deferred = DeferredHead(head.forward, self.tokens)
        head.forward = deferred

        def undo() -> None:
            del head.forward
            if earlier is not None:
                head.forward = earlier

        try:
            _require_deferred(model, deferred)
        except BadModel:
            undo()
            raise
        return undo


_WAY_OUT = "Leave it out: `patches: [~chunked-cross-entropy]`."


def _require_deferred(model: Any, deferred: DeferredHead) -> None:
    """Refuse a model that does not hand its logits on, or does to them what needs all of them.

    Raises:
        BadModel: with what it does.
    """
    import torch

    from luthier.plugins.patches.deferred_logits import DeferredLogits

    halves = {one.dtype for one in model.parameters()} & {torch.bfloat16, torch.float16}
    half = next(iter(halves), torch.bfloat16)
    device = next(model.parameters()).device
    # some weights may be trained in float32 beside others of half precision
    mixed = torch.autocast(device.type, half, enabled=bool(halves))
    with evaluated(model), torch.no_grad(), mixed:
        ids = torch.tensor([[1, 2]], device=device)
        logits = model(input_ids=ids, use_cache=False).logits
    if deferred.whole:
        raise BadModel(
            f"{class_name(model)} does `{deferred.whole[0]}` to its logits, which needs those of "
            f"all tokens at once. {_WAY_OUT}"
        )
    if not isinstance(logits, DeferredLogits):
        raise BadModel(
            f"{class_name(model)} does not use the logits of its output embedding. {_WAY_OUT}"
        )
