"""Tiny: a built-in Llama of a million random weights, made on the spot, for trying things out.

It knows nothing until it is trained: it starts from random weights, not from a pre-trained model.
Its tokenizer is a byte-level BPE, trained on the text beside this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from luthier.core import hookimpl
from luthier.core.model.families import Family

if TYPE_CHECKING:
    from luthier.core.model.opening import ModelSpec

NAME = "tiny"


class Tiny(Family):
    """The family of the built-in model; any other path is a folder that this model was saved to."""

    @hookimpl
    def locate_model(self, model: ModelSpec) -> Path | str | None:
        """Return the folder of the built-in model, made now if it is not in the user's cache."""
        if model.path not in self.builtin:
            return super().locate_model(model)
        from luthier.plugins.families.tiny.making import tiny_model

        return tiny_model()


TINY = Tiny(builtin=(NAME,), template="chatml")
