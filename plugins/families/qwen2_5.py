"""Qwen2.5, Coder and Math (Yang et al., 2024, https://arxiv.org/abs/2412.15115): Qwen2's build."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY, MS_SWIFT

QWEN2_5 = Family(
    architectures=("Qwen2ForCausalLM",),
    model_types=("qwen2",),
    ids=("Qwen/Qwen2.5-*",),
    template="qwen2.5",
    checkpoints=(
        *checkpoints(
            """
            Qwen/Qwen2.5-0.5B           =  0.5B  32768   -
            Qwen/Qwen2.5-1.5B           =  1.5B  -       -
            Qwen/Qwen2.5-3B             =  3B    32768   -
            Qwen/Qwen2.5-7B             =  7B    131072  -
            Qwen/Qwen2.5-14B            =  14B   131072  -
            Qwen/Qwen2.5-32B            =  32B   131072  -
            Qwen/Qwen2.5-72B            =  72B   131072  qwen
            Qwen/Qwen2.5-0.5B-Instruct  =  0.5B  32768   -
            Qwen/Qwen2.5-1.5B-Instruct  =  1.5B  -       -
            Qwen/Qwen2.5-3B-Instruct    =  3B    32768   -
            Qwen/Qwen2.5-7B-Instruct    =  7B    131072  apache-2.0
            Qwen/Qwen2.5-14B-Instruct   =  14B   131072  -
            Qwen/Qwen2.5-32B-Instruct   =  32B   131072  -
            Qwen/Qwen2.5-72B-Instruct   =  72B   131072  qwen
            """,
            LLAMA_FACTORY,
            LITGPT,
            "https://huggingface.co/Qwen/Qwen2.5-7B-Instruct",
            "https://huggingface.co/Qwen/Qwen2.5-72B",
        ),
        *checkpoints(
            """
            Qwen/Qwen2.5-7B-Instruct-1M       =  7B    1010000  -
            Qwen/Qwen2.5-14B-Instruct-1M      =  14B   1010000  -
            Qwen/Qwen2.5-Coder-0.5B           =  0.5B  32768    -
            Qwen/Qwen2.5-Coder-1.5B           =  1.5B  32768    -
            Qwen/Qwen2.5-Coder-3B             =  3B    32768    -
            Qwen/Qwen2.5-Coder-7B             =  7B    32768    -
            Qwen/Qwen2.5-Coder-14B            =  14B   32768    -
            Qwen/Qwen2.5-Coder-32B            =  32B   32768    -
            Qwen/Qwen2.5-Coder-0.5B-Instruct  =  0.5B  32768    -
            Qwen/Qwen2.5-Coder-1.5B-Instruct  =  1.5B  32768    -
            Qwen/Qwen2.5-Coder-3B-Instruct    =  3B    32768    -
            Qwen/Qwen2.5-Coder-7B-Instruct    =  7B    32768    -
            Qwen/Qwen2.5-Coder-14B-Instruct   =  14B   32768    -
            Qwen/Qwen2.5-Coder-32B-Instruct   =  32B   32768    -
            Qwen/Qwen2.5-Math-1.5B            =  1.5B  4096     -
            Qwen/Qwen2.5-Math-7B              =  7B    4096     -
            Qwen/Qwen2.5-Math-72B             =  72B   4096     -
            Qwen/Qwen2.5-Math-1.5B-Instruct   =  1.5B  4096     -
            Qwen/Qwen2.5-Math-7B-Instruct     =  7B    4096     -
            Qwen/Qwen2.5-Math-72B-Instruct    =  72B   4096     -
            """,
            MS_SWIFT,
            LITGPT,
        ),
    ),
)
