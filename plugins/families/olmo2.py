"""OLMo 2 (https://arxiv.org/abs/2501.00656)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, VLLM

OLMO2 = Family(
    architectures=("Olmo2ForCausalLM",),
    model_types=("olmo2",),
    ids=("allenai/OLMo-2-*",),
    template="olmo2",
    checkpoints=(
        *checkpoints(
            """
            allenai/OLMo-2-1124-7B            -  7B   4096  -
            allenai/OLMo-2-1124-7B-SFT        -  7B   4096  -
            allenai/OLMo-2-1124-7B-DPO        -  7B   4096  -
            allenai/OLMo-2-1124-7B-Instruct   -  7B   4096  -
            allenai/OLMo-2-1124-13B           -  13B  4096  -
            allenai/OLMo-2-1124-13B-SFT       -  13B  4096  -
            allenai/OLMo-2-1124-13B-DPO       -  13B  4096  -
            allenai/OLMo-2-1124-13B-Instruct  -  13B  4096  -
            """,
            LITGPT,
        ),
        *checkpoints(
            """
            allenai/OLMo-2-0425-1B  -  1B  -  -
            """,
            VLLM,
        ),
    ),
)
