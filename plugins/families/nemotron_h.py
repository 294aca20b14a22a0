"""Nemotron-H and Nemotron 3 (https://arxiv.org/abs/2504.03624): state spaces and attention."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import MS_SWIFT, VLLM

NEMOTRON_H = Family(
    architectures=("NemotronHForCausalLM",),
    model_types=("nemotron_h",),
    ids=("nvidia/Nemotron-H-*", "nvidia/NVIDIA-Nemotron-*"),
    template="nemotron-3",
    checkpoints=(
        *checkpoints(
            """
            nvidia/Nemotron-H-8B-Base-8K   -  8B   -  -
            nvidia/Nemotron-H-47B-Base-8K  -  47B  -  -
            nvidia/Nemotron-H-56B-Base-8K  -  56B  -  -
            """,
            VLLM,
        ),
        *checkpoints(
            """
            nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16  -  30B  -  -
            """,
            "https://huggingface.co/nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
        ),
        *checkpoints(
            """
            nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-BF16  nv-community/=  30B  -  -
            """,
            MS_SWIFT,
        ),
    ),
)
