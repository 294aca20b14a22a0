"""Phi-3-small, with code of its own (https://huggingface.co/microsoft/Phi-3-small-8k-instruct)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

PHI_3_SMALL = Family(
    architectures=("Phi3SmallForCausalLM",),
    model_types=("phi3small",),
    ids=("microsoft/Phi-3-small-*",),
    brings_code=True,
    template="phi-3-small",
    checkpoints=checkpoints(
        """
        microsoft/Phi-3-small-8k-instruct    LLM-Research/=  7B  -  -
        microsoft/Phi-3-small-128k-instruct  LLM-Research/=  7B  -  -
        """,
        LLAMA_FACTORY,
    ),
)
