"""Qwen3 and Qwen3-Next (Yang et al., 2025, https://arxiv.org/abs/2505.09388), dense or of experts.

Module names: transformers' Qwen3ForCausalLM
(https://huggingface.co/docs/transformers/model_doc/qwen3). It stands for a line that is not told.
"""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import GPUSTACK, LITGPT, MS_SWIFT, VLLM

QWEN3 = Family(
    architectures=("Qwen3ForCausalLM", "Qwen3MoeForCausalLM", "Qwen3NextForCausalLM"),
    model_types=("qwen3", "qwen3_moe", "qwen3_next"),
    ids=("Qwen/Qwen3-*",),
    template="qwen3",
    general_template="default",
    chat_templates=("qwen3-instruct", "qwen3-thinking", "qwen3-coder"),
    checkpoints=(
        *checkpoints(
            """
            Qwen/Qwen3-0.6B-Base     =  0.6B  -      -
            Qwen/Qwen3-1.7B-Base     =  1.7B  -      -
            Qwen/Qwen3-4B-Base       =  4B    -      -
            Qwen/Qwen3-8B-Base       =  8B    -      -
            Qwen/Qwen3-14B-Base      =  14B   -      -
            Qwen/Qwen3-0.6B          =  0.6B  40960  apache-2.0
            Qwen/Qwen3-1.7B          =  1.7B  40960  -
            Qwen/Qwen3-4B            =  4B    40960  -
            Qwen/Qwen3-8B            =  8B    40960  apache-2.0
            Qwen/Qwen3-14B           =  14B   40960  apache-2.0
            Qwen/Qwen3-32B           =  32B   40960  apache-2.0
            Qwen/Qwen3-30B-A3B-Base  =  30B   -      -
            Qwen/Qwen3-30B-A3B       =  30B   40960  -
            Qwen/Qwen3-235B-A22B     =  235B  40960  -
            """,
            MS_SWIFT,
            LITGPT,
            GPUSTACK,
        ),
        *checkpoints(
            """
            Qwen/Qwen3-4B-Instruct-2507         =  4B    262144  -
            Qwen/Qwen3-30B-A3B-Instruct-2507    =  30B   262144  apache-2.0
            Qwen/Qwen3-235B-A22B-Instruct-2507  =  235B  262144  apache-2.0
            """,
            MS_SWIFT,
            LITGPT,
            GPUSTACK,
            template="qwen3-instruct",
        ),
        *checkpoints(
            """
            Qwen/Qwen3-4B-Thinking-2507         =  4B    262144  -
            Qwen/Qwen3-30B-A3B-Thinking-2507    =  30B   262144  apache-2.0
            Qwen/Qwen3-235B-A22B-Thinking-2507  =  235B  262144  apache-2.0
            """,
            MS_SWIFT,
            LITGPT,
            GPUSTACK,
            template="qwen3-thinking",
        ),
        *checkpoints(
            """
            Qwen/Qwen3-Coder-30B-A3B-Instruct    =  30B   -  -
            Qwen/Qwen3-Coder-480B-A35B-Instruct  =  480B  -  -
            Qwen/Qwen3-Coder-Next-Base           =  -     -  -
            Qwen/Qwen3-Coder-Next                =  -     -  -
            """,
            MS_SWIFT,
            template="qwen3-coder",
        ),
        *checkpoints(
            """
            Qwen/Qwen3-Next-80B-A3B-Instruct  =  80B  -  -
            """,
            VLLM,
            MS_SWIFT,
            template="qwen3-instruct",
        ),
    ),
)
