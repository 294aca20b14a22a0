"""Padding-free batches: the rows of a batch lie end to end, so that no pad is computed.

Source: Kundu et al., 2024, https://arxiv.org/abs/2407.09105. On flash attention it is the kernel's
form for sequences of several lengths; elsewhere each sequence goes through SDPA by itself
(luthier.core.model.sequencewise).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadModel, Finding, Need, Plugin, Refusal, hookimpl
from luthier.core.model.architectures import is_foreign
from luthier.core.model.attention import SELECTIVE
from luthier.core.model.isolation import leak_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.hooks import Collator
    from luthier.core.model.loading import LoadPlan

READS_MASK = SELECTIVE | {"doge"}
"""Model types of transformers whose own code reads the attention mask."""
ADDS_TO_ATTENTION = frozenset({"flint", "granite_swa", "granitemoe_swa", "mimo_v2_flash"})
"""Those that add to their attention what SDPA cannot compute."""
REMEDY = "Leave it out (`patches: [~padding-free]`), or choose another model."


class PaddingFree(Plugin):
    """Lay the rows of each batch end to end, none of which sees another; packed rows, too."""

    traits: ClassVar = frozenset({"rows-end-to-end"})
    serves: ClassVar = "training"
    after: ClassVar = frozenset({"attention-backend"})
    no_default: ClassVar = (
        Refusal("samples-answers", "answers are sampled in padded batches", "Leave it out"),
    )
    refuses: ClassVar = (
        Refusal(
            "attention-masked",
            "that backend tells sequences apart by a mask of all pairs of tokens",
            "Leave that one out: without it each sequence goes through SDPA by itself",
        ),
        Refusal("rows-end-to-end", "rows are laid end to end once", "Leave one of them out"),
    )
    needs: ClassVar = (
        Need(
            "token-rows",
            "it lays out rows of token ids and labels, and this stage's are others",
            "Leave it out, or choose the stage `sft` or `pt`",
        ),
    )

    @hookimpl
    def check_model(self, config: Mapping[str, Any]) -> Iterable[Finding]:
        """Tell of a model whose rows are known not to lie end to end, or of which nothing is."""
        kind = config.get("model_type")
        if reason := _fault_of(config) or leak_of(config):
            yield Finding("", f"in models of the type {kind} {reason}", REMEDY)
        elif is_foreign(config):
            said = (
                f"the code of models of the type {kind} comes with them, and may know no such rows"
            )
            yield Finding("", said, REMEDY)

    @hookimpl
    def plan_load(self, plan: LoadPlan) -> None:
        """Choose attention by sequences, unless a flash kernel was chosen."""
        from luthier.core.model.sequencewise import register

        if plan.attention is None:
            plan.attention = register()

    @hookimpl
    def build_collator(self, tokenizer: PreTrainedTokenizerBase, attention: str) -> Collator | None:
        """Return what lays rows, or packs of them, end to end.

        Raises:
            BadModel: the model's backend takes no rows that lie so.
        """
        from luthier.core.training import PackedCollator

        collator = PackedCollator.of(tokenizer, attention)
        if collator.layout == "rows":
            raise BadModel(
                f"the attention backend {attention!r} takes no rows that lie end to end. "
                "Leave out the plugin that chose it, or padding-free."
            )
        return collator


def _fault_of(config: Mapping[str, Any]) -> str | None:
    text = config.get("text_config")
    if isinstance(text, Mapping) and (reason := _fault_of(text)):
        return reason
    if config.get("model_type") in READS_MASK:
        return "the code reads the attention mask, and where rows lie end to end there is none"
    if config.get("model_type") in ADDS_TO_ATTENTION:
        return "attention has a term that cannot be computed by sequences"
    return None
