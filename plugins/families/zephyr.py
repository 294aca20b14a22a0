"""Zephyr (Tunstall et al., 2023, https://arxiv.org/abs/2310.16944): Mistral or Mixtral, tuned."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

ZEPHYR = Family(
    architectures=("MistralForCausalLM", "MixtralForCausalLM"),
    model_types=("mistral", "mixtral"),
    ids=("HuggingFaceH4/zephyr-*",),
    template="zephyr",
    checkpoints=checkpoints(
        """
        HuggingFaceH4/zephyr-7b-alpha             AI-ModelScope/=  7B    -  -
        HuggingFaceH4/zephyr-7b-beta              modelscope/=     7B    -  -
        HuggingFaceH4/zephyr-orpo-141b-A35b-v0.1  -                141B  -  -
        """,
        LLAMA_FACTORY,
    ),
)
