"""Falcon-H1 (https://arxiv.org/abs/2507.22448): attention and state spaces side by side."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import GPUSTACK, VLLM

FALCON_H1 = Family(
    architectures=("FalconH1ForCausalLM",),
    model_types=("falcon_h1",),
    ids=("tiiuae/Falcon-H1*",),
    template="chatml",
    checkpoints=(
        *checkpoints(
            """
            tiiuae/Falcon-H1-34B-Base      -  34B  -  -
            tiiuae/Falcon-H1-34B-Instruct  -  34B  -  -
            """,
            VLLM,
        ),
        *checkpoints(
            """
            tiiuae/Falcon-H1R-7B  -  7B  -  falcon-llm-license
            """,
            GPUSTACK,
        ),
    ),
)
