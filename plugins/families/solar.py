"""SOLAR 10.7B (Kim et al., 2023, https://arxiv.org/abs/2312.15166), built like Llama."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, OPEN_LLMS

SOLAR = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("upstage/SOLAR-*",),
    template="solar",
    checkpoints=(
        *checkpoints(
            """
            upstage/SOLAR-10.7B-v1.0  -  10.7B  4096  apache-2.0
            """,
            LLAMA_FACTORY,
            OPEN_LLMS,
        ),
        *checkpoints(
            """
            upstage/SOLAR-10.7B-Instruct-v1.0  AI-ModelScope/=  10.7B  -  -
            """,
            LLAMA_FACTORY,
        ),
    ),
)
