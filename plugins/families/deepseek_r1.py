"""DeepSeek R1 (https://arxiv.org/abs/2501.12948), built like DeepSeek V3."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import GPUSTACK, LLAMA_FACTORY, MS_SWIFT

DEEPSEEK_R1 = Family(
    architectures=("DeepseekV3ForCausalLM",),
    model_types=("deepseek_v3",),
    ids=("deepseek-ai/DeepSeek-R1", "deepseek-ai/DeepSeek-R1-Zero", "deepseek-ai/DeepSeek-R1-0528"),
    template="deepseek-r1",
    chat_templates=("deepseek-r1-0528",),
    checkpoints=(
        *checkpoints(
            """
            deepseek-ai/DeepSeek-R1       =  671B  -  mit
            deepseek-ai/DeepSeek-R1-Zero  =  671B  -  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            GPUSTACK,
            "https://huggingface.co/deepseek-ai/DeepSeek-R1",
        ),
        *checkpoints(
            """
            deepseek-ai/DeepSeek-R1-0528  =  671B  -  mit
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            GPUSTACK,
            "https://huggingface.co/deepseek-ai/DeepSeek-R1",
            template="deepseek-r1-0528",
        ),
    ),
)
