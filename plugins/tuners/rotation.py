"""What OFT and BOFT share: the inputs of a layer are rotated in blocks, which have to fill them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core import BadModel
from luthier.plugins.tuners.peft_tuner import ModuleTuner

if TYPE_CHECKING:
    from luthier.core.model.layers import LayerMap
    from luthier.core.model.vocabulary import Vocabulary

MOST_SHOWN = 8


class RotationTuner(ModuleTuner):
    """Base of those that rotate inputs in blocks of one size."""

    def block(self) -> tuple[str, int, int]:
        """Return the option that says how large a block is, its size, and how often it doubles."""
        raise NotImplementedError

    def config_for(self, model: Any, layers: LayerMap, vocabulary: Vocabulary) -> Any:
        """Return PEFT's config of it for a model.

        Raises:
            BadModel: the inputs of a layer are no whole number of blocks, of which PEFT would make
                others than were asked for, or none.
        """
        config = super().config_for(model, layers, vocabulary)
        option, size, doubled = self.block()
        for name in sorted(config.target_modules):
            count = _inputs(model.get_submodule(name))
            if count is not None and count % (size << doubled):
                sizes = [n for n in range(2, count + 1) if not count % (n << doubled)]
                shown = ", ".join(map(str, sizes[:MOST_SHOWN])) or "none, with so many factors"
                more = " ..." if sizes[MOST_SHOWN:] else ""
                raise BadModel(
                    f"{option} makes no whole number of blocks of {name}, which has {count} "
                    f"inputs. Give a size that divides them ({shown}{more})."
                )
        return config


def _inputs(module: Any) -> int | None:
    """Return how many inputs a linear layer has; None of another."""
    from transformers.pytorch_utils import Conv1D

    if isinstance(module, Conv1D):  # its weight lies the other way
        return int(module.weight.shape[0])
    found = getattr(module, "in_features", None)
    return found if isinstance(found, int) else None
