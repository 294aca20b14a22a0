"""Orion 14B (Chen et al., 2024, https://arxiv.org/abs/2401.12246), whose code comes with it."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

ORION = Family(
    architectures=("OrionForCausalLM",),
    model_types=("orion",),
    ids=("OrionStarAI/Orion-*",),
    brings_code=True,
    template="orion",
    checkpoints=checkpoints(
        """
        OrionStarAI/Orion-14B-Base         =  14B  -  -
        OrionStarAI/Orion-14B-Chat         =  14B  -  -
        OrionStarAI/Orion-14B-LongChat     =  14B  -  -
        OrionStarAI/Orion-14B-Chat-RAG     =  14B  -  -
        OrionStarAI/Orion-14B-Chat-Plugin  =  14B  -  -
        """,
        LLAMA_FACTORY,
    ),
)
