"""bitsandbytes' AdamW, its bits told by the group.

bitsandbytes has one place for such exceptions in the whole process, which outlives the run.
"""

from __future__ import annotations

from typing import Any

from bitsandbytes.optim.adamw import AdamW


class GroupedAdamW(AdamW):
    """AdamW whose groups say in `optim_bits` how their moments are held: in 8 or in 32 bits."""

    def __init__(
        self, groups: list[dict[str, Any]], *, betas: tuple[float, float], eps: float, paged: bool
    ) -> None:
        """Hold the groups; each has its `lr`, `weight_decay` and `optim_bits`."""
        super().__init__(  # type: ignore[no-untyped-call]
            groups, lr=groups[0]["lr"], betas=betas, eps=eps, optim_bits=8, is_paged=paged
        )

    def get_config(self, gindex: int, pindex: int, group: dict[str, Any]) -> dict[str, Any]:
        """Return what bitsandbytes knows of a parameter, with the bits of its group."""
        config = super().get_config(gindex, pindex, group)  # type: ignore[no-untyped-call]
        return {**config, "optim_bits": group["optim_bits"]}
