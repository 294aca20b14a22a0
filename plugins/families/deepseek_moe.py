"""DeepSeekMoE (Dai et al., 2024, https://arxiv.org/abs/2401.06066), whose code comes with it."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

DEEPSEEK_MOE = Family(
    architectures=("DeepseekForCausalLM",),
    model_types=("deepseek",),
    ids=("deepseek-ai/deepseek-moe-*",),
    brings_code=True,
    template="deepseek-moe",
    checkpoints=checkpoints(
        """
        deepseek-ai/deepseek-moe-16b-base  =  16B  -  -
        deepseek-ai/deepseek-moe-16b-chat  =  16B  -  -
        """,
        LLAMA_FACTORY,
    ),
)
