"""Nemotron-4 and Minitron (https://arxiv.org/abs/2407.14679)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import VLLM

NEMOTRON = Family(
    architectures=("NemotronForCausalLM",),
    model_types=("nemotron",),
    ids=("nvidia/Minitron-*", "nvidia/Nemotron-4-*", "nvidia/Nemotron-Mini-*"),
    template="default",
    checkpoints=(
        *checkpoints(
            """
            nvidia/Minitron-8B-Base  -  8B  -  -
            """,
            VLLM,
        ),
        *checkpoints(
            """
            nvidia/Minitron-4B-Base  -  4B  4096  -
            """,
            "https://huggingface.co/nvidia/Minitron-4B-Base",
        ),
        *checkpoints(
            """
            nvidia/Nemotron-Mini-4B-Instruct  -  4B  4096  nvidia-open-model
            """,
            "https://huggingface.co/nvidia/Nemotron-Mini-4B-Instruct",
        ),
    ),
)
