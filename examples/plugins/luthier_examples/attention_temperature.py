"""Attention temperature: divide the attention scores by a number before their softmax.

Above 1 the attention is flatter, below 1 sharper (the temperature of Hinton et al., 2015,
section 2, https://arxiv.org/abs/1503.02531, put to the attention's softmax). As the scores are
linear in the query, the query is divided, so that any backend may lie beneath.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    import torch

    from luthier.core.hooks import Attention


class AttentionTemperature(Plugin):
    """Make the model's attention flatter or sharper, in training and in use alike."""

    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Over 1 spreads the attention over more tokens; 1 changes nothing."""

    traits: ClassVar = frozenset({"attention-wrapper"})

    @hookimpl
    def wrap_attention(self, attention: Attention) -> Attention | None:
        """Return `attention` with its query divided by the temperature."""
        temperature = self.temperature

        def tempered(
            module: torch.nn.Module, query: torch.Tensor, *rest: Any, **named: Any
        ) -> tuple[torch.Tensor, torch.Tensor | None]:
            return attention(module, query / temperature, *rest, **named)

        return tempered
