"""Mixtral (Jiang et al., 2024, https://arxiv.org/abs/2401.04088), a mixture of experts."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY

MIXTRAL = Family(
    architectures=("MixtralForCausalLM",),
    model_types=("mixtral",),
    ids=("mistralai/Mixtral-*", "mistral-community/Mixtral-*"),
    template="mixtral",
    general_template="default",
    chat_templates=("mixtral-8x22b",),
    checkpoints=(
        *checkpoints(
            """
            mistralai/Mixtral-8x7B-v0.1           AI-ModelScope/=  8x7B  32768  -
            mistralai/Mixtral-8x7B-Instruct-v0.1  AI-ModelScope/=  8x7B  32768  -
            """,
            LLAMA_FACTORY,
            LITGPT,
        ),
        *checkpoints(
            """
            mistralai/Mixtral-8x22B-v0.1           AI-ModelScope/=  8x22B  65536  -
            mistralai/Mixtral-8x22B-Instruct-v0.1  AI-ModelScope/=  8x22B  65536  -
            """,
            LLAMA_FACTORY,
            LITGPT,
            template="mixtral-8x22b",
        ),
    ),
)
