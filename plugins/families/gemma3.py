"""Gemma 3 (https://arxiv.org/abs/2503.19786); of those that see, the text model is trained here."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, MS_SWIFT

GEMMA3 = Family(
    architectures=("Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"),
    model_types=("gemma3", "gemma3_text"),
    ids=("google/gemma-3-*", "google/medgemma-*"),
    template="gemma3",
    checkpoints=checkpoints(
        """
        google/gemma-3-270m          =               270M  -       -
        google/gemma-3-1b-pt         LLM-Research/=  1B    -       -
        google/gemma-3-4b-pt         LLM-Research/=  4B    -       -
        google/gemma-3-12b-pt        LLM-Research/=  12B   -       -
        google/gemma-3-27b-pt        LLM-Research/=  27B   -       -
        google/gemma-3-270m-it       =               270M  -       -
        google/gemma-3-1b-it         LLM-Research/=  1B    -       -
        google/gemma-3-4b-it         LLM-Research/=  4B    131072  -
        google/gemma-3-12b-it        LLM-Research/=  12B   131072  -
        google/gemma-3-27b-it        LLM-Research/=  27B   131072  -
        google/medgemma-27b-text-it  =               27B   -       -
        """,
        MS_SWIFT,
        LITGPT,
    ),
)
