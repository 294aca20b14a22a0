"""MiniMax-M2 (https://huggingface.co/MiniMaxAI/MiniMax-M2), a mixture of experts."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import GPUSTACK, VLLM

MINIMAX_M2 = Family(
    architectures=("MiniMaxM2ForCausalLM",),
    model_types=("minimax_m2",),
    ids=("MiniMaxAI/MiniMax-M2*",),
    template="minimax-m2",
    checkpoints=(
        *checkpoints(
            """
            MiniMaxAI/MiniMax-M2  -  -  -  -
            """,
            VLLM,
        ),
        *checkpoints(
            """
            MiniMaxAI/MiniMax-M2.1  -  230B  -  modified-mit
            """,
            GPUSTACK,
        ),
    ),
)
