"""Padding-free batches: the rows of a batch lie end to end, so that no pad is computed.

Source: Kundu et al., 2024, https://arxiv.org/abs/2407.09105. On flash attention it is the kernel's
form for sequences of several lengths; elsewhere each sequence goes through SDPA by itself
(luthier.core.model.sequencewise).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadModel, Finding, Need, Plugin, Refusal, hookimpl
from luthier.core.model.isolation import leak_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.hooks import Collator
    from luthier.core.model.loading import LoadPlan


class PaddingFree(Plugin):
    """Lay the rows of each batch end to end, none of which sees another; packed rows, too."""

    traits: ClassVar = frozenset({"rows-end-to-end"})
    serves: ClassVar = "training"
    after: ClassVar = frozenset({"attention-backend"})
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
        """Tell of a model that is known to carry something from one sequence to the next."""
        if reason := leak_of(config):
            said = f"in models of the type {config.get('model_type')} {reason}"
            yield Finding("", said, "Leave it out, or choose another model.")

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
