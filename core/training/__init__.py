"""The training loop that all stages share. Importing it imports torch and transformers."""

from luthier.core.training.collation import PaddingCollator
from luthier.core.training.groups import parameter_groups
from luthier.core.training.loss import token_mean_loss
from luthier.core.training.packed import PackedCollator, require_isolated
from luthier.core.training.trainer import Trainer

__all__ = [
    "PackedCollator",
    "PaddingCollator",
    "Trainer",
    "parameter_groups",
    "require_isolated",
    "token_mean_loss",
]
