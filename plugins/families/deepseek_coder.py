"""DeepSeek Coder (Guo et al., 2024, https://arxiv.org/abs/2401.14196), built like Llama."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT

DEEPSEEK_CODER = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("deepseek-ai/deepseek-coder-*",),
    template="deepseek-coder",
    checkpoints=checkpoints(
        """
        deepseek-ai/deepseek-coder-1.3b-base         =  1.3B  -  -
        deepseek-ai/deepseek-coder-6.7b-base         =  6.7B  -  -
        deepseek-ai/deepseek-coder-7b-base-v1.5      =  7B    -  -
        deepseek-ai/deepseek-coder-33b-base          =  33B   -  -
        deepseek-ai/deepseek-coder-1.3b-instruct     =  1.3B  -  -
        deepseek-ai/deepseek-coder-6.7b-instruct     =  6.7B  -  -
        deepseek-ai/deepseek-coder-7b-instruct-v1.5  =  7B    -  -
        deepseek-ai/deepseek-coder-33b-instruct      =  33B   -  -
        """,
        LLAMA_FACTORY,
        MS_SWIFT,
    ),
)
