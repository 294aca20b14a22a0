"""Gemma 2 (https://arxiv.org/abs/2408.00118)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY, MS_SWIFT

GEMMA2 = Family(
    architectures=("Gemma2ForCausalLM",),
    model_types=("gemma2",),
    ids=("google/gemma-2-*",),
    template="gemma2",
    checkpoints=checkpoints(
        """
        google/gemma-2-2b      LLM-Research/=  2B   8192  -
        google/gemma-2-9b      LLM-Research/=  9B   8192  -
        google/gemma-2-27b     LLM-Research/=  27B  8192  -
        google/gemma-2-2b-it   LLM-Research/=  2B   8192  -
        google/gemma-2-9b-it   LLM-Research/=  9B   8192  -
        google/gemma-2-27b-it  LLM-Research/=  27B  8192  -
        """,
        LLAMA_FACTORY,
        MS_SWIFT,
        LITGPT,
    ),
)
