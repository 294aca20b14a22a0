"""What our own optimizers share: a parameter is updated by itself, perhaps going backward."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

State: TypeAlias = dict[str, Any]
"""What is kept of one parameter from step to step; empty at first."""
Group: TypeAlias = Mapping[str, Any]
"""The settings of a parameter, `lr` and `weight_decay` among them."""


class KeptPrecision(torch.optim.Optimizer):
    """An optimizer whose state may be of another precision than its parameters."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take a state up again, each tensor in the precision that it was kept in."""
        super().load_state_dict(state_dict)
        parameters = (p for group in self.param_groups for p in group["params"])
        for number, parameter in enumerate(parameters):
            # torch has cast them all to the parameter's own
            for key, value in state_dict["state"].get(number, {}).items():
                if isinstance(value, Tensor):
                    self.state[parameter][key] = value.to(parameter.device, copy=True)


class Parameterwise(KeptPrecision, abc.ABC):
    """An optimizer that says along which direction one parameter goes.

    Where it is layer-wise, a parameter is updated as soon as its gradient is whole, and the
    gradient is dropped: there is never more than one (Lv et al., 2023,
    https://arxiv.org/abs/2306.09782).
    """

    def __init__(
        self, groups: list[dict[str, Any]], *, layerwise: bool = False, **settings: Any
    ) -> None:
        """Hold the groups.

        Args:
            groups: what `parameter_groups` gave.
            layerwise: step in the backward pass.
            settings: what groups have where they do not say it themselves.
        """
        super().__init__(groups, settings)
        self._groups = {p: n for n, group in enumerate(groups) for p in group["params"]}
        if layerwise:
            for parameter in self._groups:
                parameter.register_post_accumulate_grad_hook(self._step_in_backward)

    @abc.abstractmethod
    def direction(self, gradient: Tensor, state: State, group: Group) -> Tensor:
        """Return what a parameter goes along, one learning rate of it, and go on in its state.

        Args:
            gradient: of any shape; what is returned is of the same.
            state: that of the parameter.
            group: the settings of the parameter.
        """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update each parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        return loss

    @torch.no_grad()
    def _step_in_backward(self, parameter: Tensor) -> None:
        self._update(parameter, self.param_groups[self._groups[parameter]])
        parameter.grad = None

    def _update(self, parameter: Tensor, group: Group) -> None:
        """Go along the direction, after the decoupled decay (Loshchilov and Hutter, 2019)."""
        assert parameter.grad is not None  # noqa: S101 - both callers have looked, or torch has
        direction = self.direction(parameter.grad, self.state[parameter], group)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(direction, alpha=-group["lr"])


def adam_direction(gradient: Tensor, state: State, group: Group) -> Tensor:
    """Return what Adam goes along: m / (1 - b1^t) over sqrt(v / (1 - b2^t)) + eps, and go on in t.

    Args:
        gradient: of any shape.
        state: holds t, m and v as `step`, `exp_avg` and `exp_avg_sq`; empty at first.
        group: has `betas` and `eps`.

    Source: Kingma and Ba, 2015, algorithm 1 (https://arxiv.org/abs/1412.6980).
    """
    if "exp_avg" not in state:
        state["exp_avg"] = torch.zeros_like(gradient)
        state["exp_avg_sq"] = torch.zeros_like(gradient)
    state["step"] = state.get("step", 0) + 1
    first, second = group["betas"]
    mean, square = state["exp_avg"], state["exp_avg_sq"]
    mean.lerp_(gradient, 1 - first)
    square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
    root = (square / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
    direction: Tensor = (mean / (1 - first ** state["step"])).div_(root)
    return direction
