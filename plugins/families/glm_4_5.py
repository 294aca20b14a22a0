"""GLM-4.5, 4.6 and 4.7 (https://arxiv.org/abs/2508.06471), mixtures of experts."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import GPUSTACK, MS_SWIFT

GLM_4_5 = Family(
    architectures=("Glm4MoeForCausalLM", "Glm4MoeLiteForCausalLM"),
    model_types=("glm4_moe", "glm4_moe_lite"),
    ids=("zai-org/GLM-4.5*", "zai-org/GLM-4.6*", "zai-org/GLM-4.7*"),
    template="glm-4.5",
    chat_templates=("glm-4.6", "glm-4.7"),
    checkpoints=(
        *checkpoints(
            """
            zai-org/GLM-4.5-Air-Base  ZhipuAI/=  -  -  -
            zai-org/GLM-4.5-Air       ZhipuAI/=  -  -  -
            zai-org/GLM-4.5-Base      ZhipuAI/=  -  -  -
            zai-org/GLM-4.5           ZhipuAI/=  -  -  -
            """,
            MS_SWIFT,
            GPUSTACK,
        ),
        *checkpoints(
            """
            zai-org/GLM-4.6  ZhipuAI/=  355B  -  mit
            """,
            MS_SWIFT,
            GPUSTACK,
            template="glm-4.6",
        ),
        *checkpoints(
            """
            zai-org/GLM-4.7        ZhipuAI/=  355B  -  mit
            zai-org/GLM-4.7-Flash  ZhipuAI/=  -     -  -
            """,
            MS_SWIFT,
            GPUSTACK,
            template="glm-4.7",
        ),
    ),
)
