"""BLOOMZ: BLOOM tuned on tasks (Muennighoff et al., 2022, https://arxiv.org/abs/2211.01786)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, VLLM

BLOOMZ = Family(
    architectures=("BloomForCausalLM",),
    model_types=("bloom",),
    ids=("bigscience/bloomz", "bigscience/bloomz-*"),
    template="default",
    checkpoints=(
        *checkpoints(
            """
            bigscience/bloomz-560m    AI-ModelScope/=  560M  -  -
            bigscience/bloomz-3b      AI-ModelScope/=  3B    -  -
            bigscience/bloomz-7b1-mt  AI-ModelScope/=  7.1B  -  -
            """,
            LLAMA_FACTORY,
        ),
        *checkpoints(
            """
            bigscience/bloomz  -  -  -  -
            """,
            VLLM,
        ),
    ),
)
