"""Gemma 3n (https://huggingface.co/docs/transformers/model_doc/gemma3n): its text model."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import MS_SWIFT

GEMMA3N = Family(
    architectures=("Gemma3nForCausalLM", "Gemma3nForConditionalGeneration"),
    model_types=("gemma3n", "gemma3n_text"),
    ids=("google/gemma-3n-*",),
    template="gemma3",
    checkpoints=checkpoints(
        """
        google/gemma-3n-E2B     =  -  -  -
        google/gemma-3n-E4B     =  -  -  -
        google/gemma-3n-E2B-it  =  -  -  -
        google/gemma-3n-E4B-it  =  -  -  -
        """,
        MS_SWIFT,
    ),
)
