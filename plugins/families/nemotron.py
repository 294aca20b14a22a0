"""Nemotron-4 and Minitron (https://arxiv.org/abs/2407.14679)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import VLLM

NEMOTRON = Family(
    architectures=("NemotronForCausalLM",),
    model_types=("nemotron",),
    ids=("nvidia/Minitron-*", "nvidia/Nemotron-4-*"),
    template="default",
    checkpoints=checkpoints(
        """
        nvidia/Minitron-8B-Base  -  8B  -  -
        """,
        VLLM,
    ),
)
