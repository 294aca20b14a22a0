"""DeepSeek LLM (Bi et al., 2024, https://arxiv.org/abs/2401.02954), built like Llama."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

DEEPSEEK_LLM = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("deepseek-ai/deepseek-llm-*",),
    template="deepseek-llm",
    checkpoints=checkpoints(
        """
        deepseek-ai/deepseek-llm-7b-base   =  7B   -  -
        deepseek-ai/deepseek-llm-67b-base  =  67B  -  -
        deepseek-ai/deepseek-llm-7b-chat   =  7B   -  -
        deepseek-ai/deepseek-llm-67b-chat  =  67B  -  -
        """,
        LLAMA_FACTORY,
    ),
)
