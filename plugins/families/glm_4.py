"""GLM-4, GLM-4-0414, GLM-Z1 and GLM-Edge (https://arxiv.org/abs/2406.12793), native."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import MS_SWIFT, VLLM

GLM_4 = Family(
    architectures=("GlmForCausalLM", "Glm4ForCausalLM"),
    model_types=("glm", "glm4"),
    ids=("zai-org/GLM-4-*-0414", "zai-org/GLM-Z1-*", "zai-org/glm-4-9b-*-hf", "zai-org/glm-edge-*"),
    template="glm-4",
    chat_templates=("glm-edge",),
    checkpoints=(
        *checkpoints(
            """
            zai-org/GLM-4-9B-0414        ZhipuAI/=  9B   -  -
            zai-org/GLM-4-32B-0414       ZhipuAI/=  32B  -  -
            zai-org/GLM-4-32B-Base-0414  ZhipuAI/=  32B  -  -
            zai-org/GLM-Z1-9B-0414       ZhipuAI/=  9B   -  -
            zai-org/GLM-Z1-32B-0414      ZhipuAI/=  32B  -  -
            """,
            MS_SWIFT,
        ),
        *checkpoints(
            """
            zai-org/glm-edge-1.5b-chat  ZhipuAI/=  1.5B  -  -
            zai-org/glm-edge-4b-chat    ZhipuAI/=  4B    -  -
            """,
            MS_SWIFT,
            template="glm-edge",
        ),
        *checkpoints(
            """
            zai-org/glm-4-9b-chat-hf  -  9B  -  -  glm-4-9b-chat-hf
            """,
            VLLM,
        ),
    ),
)
