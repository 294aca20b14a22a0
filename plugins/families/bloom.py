"""BLOOM (BigScience, 2022, https://arxiv.org/abs/2211.05100), a base model."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, OPEN_LLMS

BLOOM = Family(
    architectures=("BloomForCausalLM",),
    model_types=("bloom",),
    ids=("bigscience/bloom", "bigscience/bloom-*"),
    template="default",
    general_template="default",
    checkpoints=checkpoints(
        """
        bigscience/bloom-560m  AI-ModelScope/=  560M  -     -
        bigscience/bloom-3b    AI-ModelScope/=  3B    -     -
        bigscience/bloom-7b1   AI-ModelScope/=  7.1B  -     -
        bigscience/bloom       -                176B  2048  -
        """,
        LLAMA_FACTORY,
        OPEN_LLMS,
    ),
)
