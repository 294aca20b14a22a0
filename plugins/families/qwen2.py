"""Qwen2 (Yang et al., 2024, https://arxiv.org/abs/2407.10671) and its mixture of experts.

Architecture and module names: transformers' Qwen2ForCausalLM
(https://huggingface.co/docs/transformers/model_doc/qwen2). It stands for a line that is not told.
"""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

QWEN2 = Family(
    architectures=("Qwen2ForCausalLM", "Qwen2MoeForCausalLM"),
    model_types=("qwen2", "qwen2_moe"),
    ids=("Qwen/Qwen2-*",),
    template="qwen2",
    general_template="default",
    checkpoints=checkpoints(
        """
        Qwen/Qwen2-0.5B                =  0.5B  -  -
        Qwen/Qwen2-1.5B                =  1.5B  -  -
        Qwen/Qwen2-7B                  =  7B    -  -
        Qwen/Qwen2-72B                 =  72B   -  -
        Qwen/Qwen2-57B-A14B            =  57B   -  -
        Qwen/Qwen2-0.5B-Instruct       =  0.5B  -  -
        Qwen/Qwen2-1.5B-Instruct       =  1.5B  -  -
        Qwen/Qwen2-7B-Instruct         =  7B    -  -
        Qwen/Qwen2-72B-Instruct        =  72B   -  -
        Qwen/Qwen2-57B-A14B-Instruct   =  57B   -  -
        Qwen/Qwen2-Math-1.5B           =  1.5B  -  -
        Qwen/Qwen2-Math-7B             =  7B    -  -
        Qwen/Qwen2-Math-72B            =  72B   -  -
        Qwen/Qwen2-Math-1.5B-Instruct  =  1.5B  -  -
        Qwen/Qwen2-Math-7B-Instruct    =  7B    -  -
        Qwen/Qwen2-Math-72B-Instruct   =  72B   -  -
        """,
        LLAMA_FACTORY,
    ),
)
