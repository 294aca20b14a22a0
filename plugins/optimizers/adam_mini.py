"""Adam-mini: AdamW with one second moment for a whole block of weights (Zhang et al., 2024).

Source: https://arxiv.org/abs/2406.16793, algorithm 3: a block is a head of queries or keys, a token
of the embedding or the head, an output of any other matrix, and all of a bias or a norm. The layer
registry tells which layer is which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import hookimpl
from luthier.core.model.layers import LayerType
from luthier.plugins.optimizers.rules import ON_DEVICE, WHOLE_MATRICES, WithMoments

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class AdamMini(WithMoments):
    """AdamW whose second moments take next to no memory: half of AdamW's state."""

    refuses: ClassVar = (*WHOLE_MATRICES, *ON_DEVICE)

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return the optimizer; its groups say how many rows a block has."""
        from luthier.core.training import parameter_groups
        from luthier.plugins.optimizers.steps.adam_mini import AdamMini as Blockwise

        layers, model = job.opened.layers, job.opened.model
        head = head_size(model.config.get_text_config())
        by_head = set(layers.names_of(LayerType.QUERY, LayerType.KEY, LayerType.QUERY_KEY_VALUE))
        turned = set(_turned(model))

        def settings(name: str, parameter: torch.nn.Parameter) -> dict[str, Any]:
            transposed = name in turned
            if parameter.ndim < 2:  # noqa: PLR2004 - a bias or a norm
                return {"rows": None, "transposed": False}
            outputs = parameter.shape[-1 if transposed else -2]
            layer = layers.layer_of(name)
            heads = layer in by_head and _has_outputs(name, layer) and head and outputs % head == 0
            return {"rows": head if heads else 1, "transposed": transposed}

        return Blockwise(parameter_groups(job, settings), betas=self.betas, eps=self.eps)


def _has_outputs(name: str, layer: str) -> bool:
    """Return whether the rows of a parameter are outputs of its layer: not those of LoRA's A."""
    own = name.rpartition(f"{layer}.")[2]
    return own.removeprefix("base_layer.") == "weight" or own.startswith("lora_B.")


def head_size(config: Any) -> int | None:
    """Return how many outputs of the queries an attention head has, where the config tells."""
    heads = getattr(config, "num_attention_heads", None)
    width = getattr(config, "hidden_size", None)
    return getattr(config, "head_dim", None) or (width // heads if heads and width else None)


def _turned(model: Any) -> list[str]:
    """Return the names of weights whose outputs are columns, as those of GPT-2."""
    from transformers.pytorch_utils import Conv1D

    modules = model.named_modules()
    return [f"{name}.weight" for name, module in modules if isinstance(module, Conv1D)]
