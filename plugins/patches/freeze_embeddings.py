"""Frozen embeddings: all is trained that the tuner trains, but for the tokens' vectors.

They are a large share of a small model, and only those of tokens that the data holds would move.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadModel, Finding, Plugin, hookimpl

if TYPE_CHECKING:
    from luthier.core.hooks import Phase, Undo
    from luthier.core.model.vocabulary import Vocabulary
    from luthier.core.sections import ModelSection

logger = logging.getLogger(__name__)

REMEDY = "Leave freeze-embeddings out, or add no tokens."


class FreezeEmbeddings(Plugin):
    """Train no token's embedding; a head that is tied to it is as little trained."""

    serves: ClassVar = "training"

    @hookimpl
    def check_model(self, model: ModelSection) -> Iterable[Finding]:
        """Tell of tokens that are to be added: nothing would ever teach their embeddings."""
        if added := (*model.add_tokens, *model.add_special_tokens):
            said = (
                f"the embedding of {added[0]!r} is new, and would stay the noise that it begins as"
            )
            yield Finding("", said, REMEDY)

    @hookimpl
    def patch_model(self, model: Any, vocabulary: Vocabulary, phase: Phase) -> Undo | None:
        """Freeze the embedding, when the tuner has chosen what is trained.

        Raises:
            BadModel: the tokenizer has tokens that are new to the model.
        """
        if phase == "built":
            return None
        if vocabulary.ids:
            raise BadModel(
                f"the embedding of {vocabulary.tokens[0]!r} is new to the model, and would stay "
                f"the noise that it begins as. {REMEDY}"
            )
        trained = [p for p in model.get_input_embeddings().parameters() if p.requires_grad]
        if not trained:
            logger.warning(
                "freeze-embeddings changes nothing: what this run trains has no embedding in it"
            )
        for parameter in trained:
            parameter.requires_grad = False

        def undo() -> None:
            for parameter in trained:
                parameter.requires_grad = True

        return undo
