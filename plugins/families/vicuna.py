"""Vicuna v1.5: Llama 2 tuned on shared conversations (https://lmsys.org/blog/2023-03-30-vicuna)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

VICUNA = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("lmsys/vicuna-*", "lmsys/longchat-*"),
    template="vicuna",
    checkpoints=checkpoints(
        """
        lmsys/vicuna-7b-v1.5   Xorbits/=  7B   -  -
        lmsys/vicuna-13b-v1.5  Xorbits/=  13B  -  -
        """,
        LLAMA_FACTORY,
    ),
)
