"""Proximal policy optimization, all its models on one base (paper, section 3.3).

Sources: Schulman et al., 2017, https://arxiv.org/abs/1707.06347; of language models, Ziegler et
al., 2019, https://arxiv.org/abs/1909.08593, and Stiennon et al., 2020,
https://arxiv.org/abs/2009.01325.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from luthier.core import hookimpl
from luthier.plugins.stages.online import OnlineStage

if TYPE_CHECKING:
    from luthier.core.model.opening import OpenModel
    from luthier.core.model.value_head import ValueHead
    from luthier.core.run.job import TrainingJob
    from luthier.core.training import Trainer

VALUE = "value"
"""What the value head of a policy is called."""


class ProximalPolicy(OnlineStage):
    """Train on answers of the model's own, each token by how much better it went than expected."""

    update_epochs: Annotated[int, Field(ge=1)] = 4
    """How often the answers to a batch of prompts are trained on."""
    kl_target: Annotated[float, Field(gt=0)] | None = None
    """The nats of an answer that `kl_coefficient` is steered to; without one it stays as it is."""
    kl_horizon: Annotated[int, Field(ge=1)] = 10_000
    """Answers in which `kl_coefficient` changes by a fifth at most, if it is steered."""
    gamma: Annotated[float, Field(gt=0, le=1)] = 1.0
    """What a reward that is one token away counts for."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 0.95
    """How much of an advantage is seen in later rewards, and how little in the values."""
    value_weight: Annotated[float, Field(ge=0)] = 0.1
    """The weight of the loss of the values."""
    normalize_scores: bool = False
    """Divide scores by the spread of all so far, their mean taken off."""
    clip_scores: Annotated[float, Field(gt=0)] | None = None
    """How far from zero a score counts at most."""

    @model_validator(mode="after")
    def _can_be_steered(self) -> Self:
        if self.kl_target is not None and not self.kl_coefficient:
            raise ValueError(
                "`kl_coefficient: 0` stays 0, whatever `kl_target` is: it is steered by factors. "
                "Give it a value, or leave `kl_target` out."
            )
        return self

    @hookimpl
    def build_value_heads(self, opened: OpenModel) -> Mapping[str, ValueHead] | None:
        """Return the head of an earlier policy that is trained on, or a new one."""
        from luthier.core.model.value_head import new_value_head

        return {VALUE: opened.value_heads.get(VALUE) or new_value_head(opened.model)}

    @hookimpl
    def build_trainer(self, job: TrainingJob) -> Trainer | None:
        """Return the trainer; one of its steps is a batch of prompts."""
        from luthier.plugins.stages.proximal import ProximalTrainer

        return ProximalTrainer(job, self)
