"""NEFTune: noise on the embeddings of what is trained on, so that less of it is learned by heart.

Source: Jain et al., 2023, https://arxiv.org/abs/2310.05914, algorithm 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    import torch

    from luthier.core.hooks import Phase, Undo


class Neftune(Plugin):
    """Add uniform noise to the embeddings of each training row."""

    alpha: Annotated[float, Field(gt=0)] = 5.0
    """How large the noise of a row is as a vector, about: alpha / sqrt(3); 5 to 15 in the paper."""

    serves: ClassVar = "training"

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> Undo | None:
        """Hook into the model, which is told the rows, and into its embedding.

        torch's generator of the device makes the noise. It is seeded with the run, and what it
        has come to stands in each checkpoint.
        """
        if phase == "built":
            return None
        lengths: dict[str, Any] = {}

        def note_lengths(_: Any, args: Any, named: dict[str, Any]) -> None:  # noqa: ARG001
            lengths["of"] = token_lengths(named.get("attention_mask"), named.get("position_ids"))

        def add_noise(embedding: Any, _: Any, output_BTD: torch.Tensor) -> torch.Tensor | None:
            if not embedding.training:
                return None
            return output_BTD + noise_like(output_BTD, self.alpha, lengths.get("of"))

        hooks = (
            model.register_forward_pre_hook(note_lengths, with_kwargs=True),
            model.get_input_embeddings().register_forward_hook(add_noise),
        )

        def undo() -> None:
            for hook in hooks:
                hook.remove()

        return undo


def noise_like(
    output_BTD: torch.Tensor, alpha: float, lengths_BT: torch.Tensor | None
) -> torch.Tensor:
    """Return noise for embeddings: uniform in +-alpha / sqrt(L D) (Jain et al., algorithm 1).

    Args:
        output_BTD: embeddings of shape (B, T, D), whose dtype and device it has.
        alpha: the scale of the noise.
        lengths_BT: L, the tokens of the row that each token is of; T for all where it is None.
    """
    import torch

    tokens, width = output_BTD.shape[-2:]
    if lengths_BT is None:
        lengths_BT = torch.tensor([[tokens]], device=output_BTD.device)
    bound_BT1 = (alpha / (lengths_BT.clamp_min(1) * width).sqrt())[..., None]
    return torch.empty_like(output_BTD).uniform_(-1, 1) * bound_BT1.to(output_BTD.dtype)


def token_lengths(
    mask_BT: torch.Tensor | None, positions_BT: torch.Tensor | None
) -> torch.Tensor | None:
    """Return of each token how many the row has that it is of, pads apart; None if nothing tells.

    Args:
        mask_BT: 1 for a token and 0 for a pad, where rows are padded; (B, T).
        positions_BT: where several rows lie in one, the positions, from 0 with each; (B, T).
    """
    import torch

    from luthier.core.training.packed import tokens_in

    if mask_BT is not None and mask_BT.ndim == 2:  # noqa: PLR2004 - the axes that are named above
        return mask_BT.sum(1, keepdim=True)
    if positions_BT is None:
        return None
    row_BT = (positions_BT == 0).cumsum(1)
    count_BN = torch.zeros(len(row_BT), row_BT.shape[1] + 1, dtype=torch.long, device=row_BT.device)
    count_BN.scatter_add_(1, row_BT, tokens_in(positions_BT).long())
    return count_BN.gather(1, row_BT)
