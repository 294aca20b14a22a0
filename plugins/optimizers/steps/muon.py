"""Muon for matrices, AdamW for the rest, as one optimizer.

Source: Jordan et al., 2024 (https://kellerjordan.github.io/posts/muon); the scale of the update is
that of Liu et al., 2025 (https://arxiv.org/abs/2502.16982); torch's own Muon.
"""

from __future__ import annotations

from typing import Any

import torch


class MuonWithAdamW(torch.optim.Optimizer):
    """torch's Muon and torch's AdamW, each on groups of its own, with one state for both."""

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
        chosen = [
            (torch.optim.Muon, [g for g in groups if g["muon"]], muon),
            (torch.optim.AdamW, [g for g in groups if not g["muon"]], adamw),
        ]
        self._parts: list[torch.optim.Optimizer] = [
            kind(own, **settings) for kind, own, settings in chosen if own
        ]
        super().__init__([group for part in self._parts for group in part.param_groups], {})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Have each part update its own."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            # a state that is read replaces groups and state, so the parts are given them here
            of_muon = isinstance(part, torch.optim.Muon)
            part.param_groups = [one for one in self.param_groups if one["muon"] == of_muon]
            part.state = self.state
            part.step()
        return loss
