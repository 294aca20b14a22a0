"""Frozen embeddings: all is trained that the tuner trains, but for the tokens' vectors.

They are a large share of a small model, and only those of tokens that the data holds would move.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    from luthier.core.hooks import Phase, Undo

logger = logging.getLogger(__name__)


class FreezeEmbeddings(Plugin):
    """Train no token's embedding; a head that is tied to it is as little trained."""

    traits: ClassVar = frozenset({"fixed-embedding"})
    serves: ClassVar = "training"

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> Undo | None:
        """Freeze the embedding, when the tuner has chosen what is trained."""
        if phase == "built":
            return None
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
