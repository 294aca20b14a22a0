"""Muon for matrices, AdamW for the rest, as one optimizer.

Source: Jordan et al., 2024 (https://kellerjordan.github.io/posts/muon); the scale of the update is
that of Liu et al., 2025 (https://arxiv.org/abs/2502.16982); torch's own Muon.
"""

from __future__ import annotations

from typing import Any

import torch


class MuonWithAdamW(torch.optim.Optimizer):
    """torch's Muon and torch's AdamW, each on groups of its own."""

    def __init__(
        self,
        groups: list[dict[str, Any]],
        *,
        muon: dict[str, Any],
        adamw: dict[str, Any],
    ) -> None:
        """Hold the groups.

        Args:
            groups: what `parameter_groups` gave; one with `muon: True` holds matrices for it.
            muon: further settings of torch's Muon.
            adamw: further settings of torch's AdamW.
        """
        super().__init__(groups, {"lr": groups[0]["lr"]})
        chosen = [
            (torch.optim.Muon, [g for g in groups if g["muon"]], muon),
            (torch.optim.AdamW, [g for g in groups if not g["muon"]], adamw),
        ]
        self._parts: list[torch.optim.Optimizer] = [
            kind(own, **settings) for kind, own, settings in chosen if own
        ]
        self._share()

    def _share(self) -> None:
        """Have the groups and the state of the parts, and none besides."""
        self.param_groups = [group for part in self._parts for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Have each part update its own."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the parts."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the states of the parts up again."""
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share()
