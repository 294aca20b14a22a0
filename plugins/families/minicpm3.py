"""MiniCPM3 (https://huggingface.co/docs/transformers/model_doc/minicpm3)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

MINICPM3 = Family(
    architectures=("MiniCPM3ForCausalLM",),
    model_types=("minicpm3",),
    ids=("openbmb/MiniCPM3-*",),
    template="minicpm3",
    checkpoints=checkpoints(
        """
        openbmb/MiniCPM3-4B  OpenBMB/=  4B  -  -
        """,
        LLAMA_FACTORY,
    ),
)
