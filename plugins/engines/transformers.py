"""The transformers engine: answers through the model's own `generate`.

Source: https://huggingface.co/docs/transformers/main_classes/text_generation
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    from luthier.core.chat import Engine
    from luthier.core.model.opening import OpenModel
    from luthier.core.sections import GenerationSection


class TransformersEngine(Plugin):
    """Generate with the transformers library, token by token as they come."""

    @hookimpl
    def build_engine(self, opened: OpenModel, generation: GenerationSection) -> Engine | None:
        """Return an engine over the open model."""
        from luthier.plugins.engines.generation import TransformersChat

        return TransformersChat(opened, generation)
