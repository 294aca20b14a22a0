"""DeepSeekMath (Shao et al., 2024, https://arxiv.org/abs/2402.03300), built like Llama."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT

DEEPSEEK_MATH = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("deepseek-ai/deepseek-math-*",),
    template="deepseek-math",
    checkpoints=checkpoints(
        """
        deepseek-ai/deepseek-math-7b-base      =  7B  -  -
        deepseek-ai/deepseek-math-7b-instruct  =  7B  -  -
        deepseek-ai/deepseek-math-7b-rl        =  7B  -  -
        """,
        LLAMA_FACTORY,
        MS_SWIFT,
    ),
)
