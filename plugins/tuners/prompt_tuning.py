"""Prompt tuning: vectors before the tokens of each row are trained, and nothing of the model.

Source: Lester et al., 2021, https://arxiv.org/abs/2104.08691.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import Refusal, hookimpl
from luthier.core.model.layers import LayerMap
from luthier.core.model.vocabulary import Vocabulary
from luthier.plugins.tuners.peft_tuner import CAUSAL, PeftTuner

if TYPE_CHECKING:
    from luthier.core.hooks import Phase, Undo

BEFORE = "it lays vectors of its own before each row"


class PromptTuning(PeftTuner):
    """Train vectors that stand before the tokens of each row."""

    tokens: Annotated[int, Field(ge=1)] = 20
    """How many vectors there are; each takes the place of a token in the context."""
    text: str | None = None
    """A text whose tokens' embeddings they begin as; those of tokens at random where not given."""

    method: ClassVar = "PROMPT_TUNING"
    traits: ClassVar = PeftTuner.traits | {"trains-vectors"}
    refuses: ClassVar = (
        Refusal("rows-end-to-end", f"{BEFORE}, of which there is one", "Leave that patch out"),
        Refusal("packed-rows", f"{BEFORE}, and a pack would have one", "Leave packing out"),
        Refusal("scores", f"{BEFORE}, and a score is read at its own token", "Choose `lora`"),
        Refusal(
            "samples-answers", f"{BEFORE}, and an answer is weighed by its own", "Choose `lora`"
        ),
        Refusal("head-loss", f"{BEFORE}, whose logits have no labels", "Leave that patch out"),
    )

    def config_for(self, model: Any, layers: LayerMap, vocabulary: Vocabulary) -> Any:  # noqa: ARG002
        """Return a PromptTuningConfig."""
        from peft import PromptTuningConfig, PromptTuningInit

        begun = PromptTuningInit.TEXT if self.text else PromptTuningInit.SAMPLE_VOCAB
        return PromptTuningConfig(
            task_type=CAUSAL,
            num_virtual_tokens=self.tokens,
            prompt_tuning_init=begun,
            prompt_tuning_init_text=self.text,
            tokenizer_name_or_path=model.config._name_or_path if self.text else None,  # noqa: SLF001
        )

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> Undo | None:
        """Leave out the logits of the vectors, so that there is one to each label."""
        if phase == "built":
            return None
        count = model.active_peft_config.num_virtual_tokens  # a saved one has its own

        def cut(_: Any, __: Any, output: Any) -> Any:
            output.logits = output.logits[:, count:]
            return output

        return model.register_forward_hook(cut).remove  # type: ignore[no-any-return]
