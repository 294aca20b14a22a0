"""Gemma and CodeGemma (https://arxiv.org/abs/2403.08295)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT, OPEN_LLMS

GEMMA = Family(
    architectures=("GemmaForCausalLM",),
    model_types=("gemma",),
    ids=("google/gemma-2b*", "google/gemma-7b*", "google/gemma-1.1-*", "google/codegemma-*"),
    template="gemma",
    checkpoints=checkpoints(
        """
        google/gemma-2b             AI-ModelScope/=  2B  8192  gemma
        google/gemma-7b             AI-ModelScope/=  7B  8192  gemma
        google/gemma-2b-it          AI-ModelScope/=  2B  8192  gemma
        google/gemma-7b-it          AI-ModelScope/=  7B  8192  gemma
        google/gemma-1.1-2b-it      -                2B  -     -
        google/gemma-1.1-7b-it      -                7B  -     -
        google/codegemma-7b         -                7B  -     -
        google/codegemma-7b-it      AI-ModelScope/=  7B  -     -
        google/codegemma-1.1-2b     -                2B  -     -
        google/codegemma-1.1-7b-it  -                7B  -     -
        """,
        LLAMA_FACTORY,
        MS_SWIFT,
        OPEN_LLMS,
    ),
)
