"""What AdaLoRA does at each step. A sibling of the plugin, since it needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

if TYPE_CHECKING:
    from luthier.plugins.tuners.adalora import AdaLora

KEPT = {"importance": "exp_avg_ipt", "uncertainty": "exp_avg_unc"}
"""What is known of each parameter, by its name in the optimizer's state, and by PEFT's."""
PATTERN = "rank_pattern"


class RankAllocation(TrainerCallback):
    """Pulls the matrices to orthogonal ones and cuts ranks, by PEFT's allocator.

    What the allocator knows of each parameter is kept in the optimizer's state of it, and so stands
    in each checkpoint.
    """

    def __init__(self, model: Any, tuner: AdaLora) -> None:
        """Keep the model, with AdaLoRA on it, and the tuner's options."""
        self.adapted = model.base_model
        self.allocator = self.adapted.rankallocator
        self.tuner = tuner
        lora = {n: p for n, p in self.adapted.model.named_parameters() if "lora_" in n}
        self.parameters = {name: p for name, p in lora.items() if p.requires_grad}

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ARG002
        """Set the schedule, and what is known from a checkpoint."""
        config = self.allocator.peft_config
        config.total_step = state.max_steps
        config.tinit = int(self.tuner.warmup * state.max_steps)
        config.tfinal = int(self.tuner.settled * state.max_steps)
        self.on_restored(given["optimizer"])

    def on_restored(self, optimizer: Any) -> None:
        """Take what is known from the state of an optimizer that has read a checkpoint."""
        config = self.allocator.peft_config
        config.rank_pattern = None
        for name, parameter in self.parameters.items():
            known = optimizer.state.get(parameter, {})
            for key, own in KEPT.items():
                if key in known:
                    getattr(self.allocator, own)[name] = known[key]
                    self.allocator.ipt[name] = torch.zeros_like(parameter)
            if PATTERN in known:
                config.rank_pattern = config.rank_pattern or {}
                config.rank_pattern[name] = known[PATTERN].flatten().bool().tolist()

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        """Add the gradient of the distance from orthogonal matrices (equation 4, as PEFT has it).

        The loss here is the token mean, which PEFT's own forward pass never sees.
        """
        weight = self.tuner.orthogonality
        pairs = {n: p for n, p in self.parameters.items() if "lora_E" not in n}
        if not weight or not pairs:
            return
        with torch.enable_grad():
            distance = torch.stack([_from_orthogonal(p, "lora_A" in n) for n, p in pairs.items()])
            torch.autograd.backward(weight * distance.mean())

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ARG002
        """Cut ranks, while the gradients are there, and keep what is known."""
        step = state.global_step + 1
        if not self._has_grounds(step, given["optimizer"]):
            return
        self.adapted.update_and_allocate(step)
        pattern = self.allocator.peft_config.rank_pattern or {}
        for name, parameter in self.parameters.items():
            known = given["optimizer"].state[parameter]
            for key, own in KEPT.items():
                if name in getattr(self.allocator, own):
                    known[key] = getattr(self.allocator, own)[name]
            if name in pattern:
                kept = torch.tensor(pattern[name], device=parameter.device)
                known[PATTERN] = kept.to(parameter.dtype).reshape(parameter.shape)

    def _has_grounds(self, step: int, optimizer: Any) -> bool:
        """Return whether the gradients of a step tell what counts, or what is known is to be used.

        Those of a step that the run or the scaler of float16 skips are zero, or not finite. From
        the last cut on PEFT looks at no gradient.
        """
        config = self.allocator.peft_config
        if step < config.total_step - config.tfinal:
            taken: bool = optimizer.gradient_state.sync_gradients
            return taken and not optimizer.step_was_skipped
        # all steps before the last cut may have been skipped: there is nothing to cut by
        return bool(self.allocator.exp_avg_ipt or config.rank_pattern)


def _from_orthogonal(matrix: torch.Tensor, rows: bool) -> torch.Tensor:  # noqa: FBT001
    """Return the Frobenius norm of Q Q^T - 1, or of P^T P - 1."""
    square_RR = matrix @ matrix.T if rows else matrix.T @ matrix
    distance: torch.Tensor = torch.linalg.norm(square_RR - torch.eye(len(square_RR)).to(square_RR))
    return distance
