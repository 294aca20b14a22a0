"""EXAONE 4.0 and K-EXAONE (https://arxiv.org/abs/2507.11407)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import VLLM

EXAONE_4 = Family(
    architectures=("Exaone4ForCausalLM", "ExaoneMoeForCausalLM"),
    model_types=("exaone4", "exaone_moe"),
    ids=("LGAI-EXAONE/EXAONE-4.0-*", "LGAI-EXAONE/K-EXAONE-*"),
    template="exaone-4",
    checkpoints=checkpoints(
        """
        LGAI-EXAONE/EXAONE-4.0-32B      -  32B   -  -
        LGAI-EXAONE/K-EXAONE-236B-A23B  -  236B  -  -
        """,
        VLLM,
    ),
)
