"""Llama 4, mixtures of experts (https://huggingface.co/docs/transformers/model_doc/llama4).

Its text model is what is trained here.
"""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import MS_SWIFT

LLAMA4 = Family(
    architectures=("Llama4ForCausalLM", "Llama4ForConditionalGeneration"),
    model_types=("llama4", "llama4_text"),
    ids=("meta-llama/Llama-4-*",),
    template="llama4",
    checkpoints=checkpoints(
        """
        meta-llama/Llama-4-Scout-17B-16E               LLM-Research/=  -  -  -
        meta-llama/Llama-4-Scout-17B-16E-Instruct      LLM-Research/=  -  -  -
        meta-llama/Llama-4-Maverick-17B-128E           LLM-Research/=  -  -  -
        meta-llama/Llama-4-Maverick-17B-128E-Instruct  LLM-Research/=  -  -  -
        """,
        MS_SWIFT,
    ),
)
