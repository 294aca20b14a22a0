"""Gemma 4 (https://huggingface.co/docs/transformers/model_doc/gemma4): its text model."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import MS_SWIFT, VLLM

GEMMA4 = Family(
    architectures=(
        "Gemma4ForCausalLM",
        "Gemma4ForConditionalGeneration",
        "Gemma4UnifiedForCausalLM",
        "Gemma4UnifiedForConditionalGeneration",
    ),
    model_types=("gemma4", "gemma4_text", "gemma4_unified", "gemma4_unified_text"),
    ids=("google/gemma-4-*",),
    template="gemma4",
    chat_templates=("gemma4-e",),
    checkpoints=(
        *checkpoints(
            """
            google/gemma-4-E2B     =  -  -  -
            google/gemma-4-E2B-it  =  -  -  -
            google/gemma-4-E4B     =  -  -  -
            google/gemma-4-E4B-it  =  -  -  -
            """,
            MS_SWIFT,
            template="gemma4-e",
        ),
        *checkpoints(
            """
            google/gemma-4-26B-A4B     =  26B  -  -
            google/gemma-4-26B-A4B-it  =  26B  -  -
            google/gemma-4-31B         =  31B  -  -
            google/gemma-4-31B-it      =  31B  -  -
            """,
            MS_SWIFT,
        ),
        *checkpoints(
            """
            google/gemma-4-12B-it  -  12B  -  -
            """,
            VLLM,
        ),
    ),
)
