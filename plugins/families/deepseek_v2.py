"""DeepSeek V2, Coder V2 and V2.5 (https://arxiv.org/abs/2405.04434)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

DEEPSEEK_V2 = Family(
    architectures=("DeepseekV2ForCausalLM",),
    model_types=("deepseek_v2",),
    ids=("deepseek-ai/DeepSeek-V2*", "deepseek-ai/DeepSeek-Coder-V2-*"),
    template="deepseek-v2",
    chat_templates=("deepseek-v2.5",),
    checkpoints=(
        *checkpoints(
            """
            deepseek-ai/DeepSeek-V2-Lite                 =  16B   -  -
            deepseek-ai/DeepSeek-V2                      =  236B  -  -
            deepseek-ai/DeepSeek-V2-Lite-Chat            =  16B   -  -
            deepseek-ai/DeepSeek-V2-Chat                 =  236B  -  -
            deepseek-ai/DeepSeek-V2-Chat-0628            =  236B  -  -
            deepseek-ai/DeepSeek-Coder-V2-Lite-Base      =  16B   -  -
            deepseek-ai/DeepSeek-Coder-V2-Base           =  236B  -  -
            deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct  =  16B   -  -
            deepseek-ai/DeepSeek-Coder-V2-Instruct       =  236B  -  -
            """,
            LLAMA_FACTORY,
        ),
        *checkpoints(
            """
            deepseek-ai/DeepSeek-V2.5       =  236B  -  -
            deepseek-ai/DeepSeek-V2.5-1210  =  236B  -  -
            """,
            LLAMA_FACTORY,
            template="deepseek-v2.5",
        ),
    ),
)
