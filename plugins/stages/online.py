"""What stages share that sample: answers of the model's own, scored by rewards, are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from luthier.core import Need, Plugin, Refusal, hookimpl

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.data import StandardRow
    from luthier.core.data.encoding import EncodedRow, Encoder
    from luthier.core.hooks import Collator


class OnlineStage(Plugin):
    """Base of a stage that samples."""

    max_new_tokens: Annotated[int, Field(ge=1)] = 128
    """Tokens of an answer at most."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """What logits are divided by, to sample answers and to weigh them."""
    kl_coefficient: Annotated[float, Field(ge=0)] = 0.05
    """What it costs to leave the reference, the model as it began, by one nat."""
    clip_range: Annotated[float, Field(gt=0)] = 0.2
    """How far the ratio of a token's probabilities, new to old, counts beyond 1."""
    update_epochs: Annotated[int, Field(ge=1)] = 1
    """How often the answers to a batch of prompts are trained on."""
    minibatch_size: Annotated[int, Field(ge=1)] | None = None
    """Answers of an update, and of a forward pass; all those to a batch of prompts if not given."""
    missing_end_penalty: float = 0.0
    """What is taken from the score of an answer that was cut off, its end being missing."""

    traits: ClassVar = frozenset({"samples-answers"})
    serves: ClassVar = "training"
    needs: ClassVar = (
        Need(
            "reward",
            "nothing scores the answers",
            "Name what does, such as `rewards: [{name: reward-model, path: RUN}]`",
        ),
    )
    refuses: ClassVar = (
        Refusal(
            "shards-weights",
            "answers are sampled from whole weights",
            "Train on one device, or choose another stage",
        ),
    )

    @property
    def group_size(self) -> int:
        """How many answers are sampled to each prompt."""
        return 1

    @hookimpl
    def encode_dataset(
        self, dataset: Sequence[StandardRow], encoder: Encoder
    ) -> Sequence[EncodedRow] | None:
        """Return each prompt as ids, up to where the model is to answer."""
        return encoder.prompts(dataset)

    @hookimpl
    def build_collator(self, tokenizer: PreTrainedTokenizerBase) -> Collator | None:
        """Return what pads prompts on the left."""
        from luthier.plugins.stages.sampled import PromptCollator

        return PromptCollator.of(tokenizer, self.group_size)
