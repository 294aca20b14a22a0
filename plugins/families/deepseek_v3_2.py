"""DeepSeek V3.2, whose attention is sparse (https://huggingface.co/deepseek-ai/DeepSeek-V3.2)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import GPUSTACK, MS_SWIFT

DEEPSEEK_V3_2 = Family(
    architectures=("DeepseekV32ForCausalLM",),
    model_types=("deepseek_v32",),
    ids=("deepseek-ai/DeepSeek-V3.2*",),
    template="deepseek-v3.2",
    checkpoints=checkpoints(
        """
        deepseek-ai/DeepSeek-V3.2           =  685B  -  mit
        deepseek-ai/DeepSeek-V3.2-Speciale  =  685B  -  mit
        deepseek-ai/DeepSeek-V3.2-Exp       =  -     -  -
        deepseek-ai/DeepSeek-V3.2-Exp-Base  =  -     -  -
        """,
        MS_SWIFT,
        GPUSTACK,
    ),
)
