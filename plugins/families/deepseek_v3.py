"""DeepSeek V3 and V3.1 (https://arxiv.org/abs/2412.19437)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT

DEEPSEEK_V3 = Family(
    architectures=("DeepseekV3ForCausalLM",),
    model_types=("deepseek_v3",),
    ids=("deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V3-*", "deepseek-ai/DeepSeek-V3.1*"),
    template="deepseek-v3",
    general_template="default",
    chat_templates=("deepseek-v3-0324", "deepseek-v3.1"),
    checkpoints=(
        *checkpoints(
            """
            deepseek-ai/DeepSeek-V3-Base         =  671B  -  -
            deepseek-ai/DeepSeek-V3              =  671B  -  -
            deepseek-ai/DeepSeek-Prover-V2-671B  =  671B  -  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
        ),
        *checkpoints(
            """
            deepseek-ai/DeepSeek-V3-0324  =  671B  -  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            template="deepseek-v3-0324",
        ),
        *checkpoints(
            """
            deepseek-ai/DeepSeek-V3.1-Base      =  -  -  -
            deepseek-ai/DeepSeek-V3.1           =  -  -  -
            deepseek-ai/DeepSeek-V3.1-Terminus  =  -  -  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            template="deepseek-v3.1",
        ),
    ),
)
