"""Apertus (https://arxiv.org/abs/2509.14233)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import VLLM

APERTUS = Family(
    architectures=("ApertusForCausalLM",),
    model_types=("apertus",),
    ids=("swiss-ai/Apertus-*",),
    template="apertus",
    checkpoints=(
        *checkpoints(
            """
            swiss-ai/Apertus-8B-2509            -  8B   -  -
            swiss-ai/Apertus-70B-Instruct-2509  -  70B  -  -
            """,
            VLLM,
        ),
        *checkpoints(
            """
            swiss-ai/Apertus-8B-Instruct-2509  -  8B  -  -
            """,
            "https://huggingface.co/swiss-ai/Apertus-8B-Instruct-2509",
        ),
    ),
)
