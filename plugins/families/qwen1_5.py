"""Qwen1.5, built like Qwen2, and its mixture of experts (https://qwenlm.github.io/blog/qwen1.5)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

QWEN1_5 = Family(
    architectures=("Qwen2ForCausalLM", "Qwen2MoeForCausalLM"),
    model_types=("qwen2", "qwen2_moe"),
    ids=("Qwen/Qwen1.5-*", "Qwen/CodeQwen1.5-*"),
    template="qwen1.5",
    checkpoints=checkpoints(
        """
        Qwen/Qwen1.5-0.5B            =  0.5B  -  -
        Qwen/Qwen1.5-1.8B            =  1.8B  -  -
        Qwen/Qwen1.5-4B              =  4B    -  -
        Qwen/Qwen1.5-7B              =  7B    -  -
        Qwen/Qwen1.5-14B             =  14B   -  -
        Qwen/Qwen1.5-32B             =  32B   -  -
        Qwen/Qwen1.5-72B             =  72B   -  -
        Qwen/Qwen1.5-110B            =  110B  -  -
        Qwen/Qwen1.5-MoE-A2.7B       =  -     -  -
        Qwen/Qwen1.5-0.5B-Chat       =  0.5B  -  -
        Qwen/Qwen1.5-1.8B-Chat       =  1.8B  -  -
        Qwen/Qwen1.5-4B-Chat         =  4B    -  -
        Qwen/Qwen1.5-7B-Chat         =  7B    -  -
        Qwen/Qwen1.5-14B-Chat        =  14B   -  -
        Qwen/Qwen1.5-32B-Chat        =  32B   -  -
        Qwen/Qwen1.5-72B-Chat        =  72B   -  -
        Qwen/Qwen1.5-110B-Chat       =  110B  -  -
        Qwen/Qwen1.5-MoE-A2.7B-Chat  =  -     -  -
        Qwen/CodeQwen1.5-7B          =  7B    -  -
        Qwen/CodeQwen1.5-7B-Chat     =  7B    -  -
        """,
        LLAMA_FACTORY,
    ),
)
