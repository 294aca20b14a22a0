"""Falcon3 (https://huggingface.co/blog/falcon3), built like Llama."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT

FALCON3 = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("tiiuae/Falcon3-*",),
    template="falcon3",
    checkpoints=checkpoints(
        """
        tiiuae/Falcon3-1B-Base       -  1B   -      -
        tiiuae/Falcon3-3B-Base       -  3B   32768  -
        tiiuae/Falcon3-7B-Base       -  7B   32768  -
        tiiuae/Falcon3-10B-Base      -  10B  32768  -
        tiiuae/Falcon3-1B-Instruct   -  1B   -      -
        tiiuae/Falcon3-3B-Instruct   -  3B   32768  -
        tiiuae/Falcon3-7B-Instruct   -  7B   32768  -
        tiiuae/Falcon3-10B-Instruct  -  10B  32768  -
        """,
        LITGPT,
    ),
)
