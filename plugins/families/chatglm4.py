"""GLM-4 9B as it first came (https://github.com/zai-org/GLM-4), with code of its own."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT

CHATGLM4 = Family(
    architectures=("ChatGLMModel", "ChatGLMForConditionalGeneration"),
    model_types=("chatglm",),
    ids=("zai-org/glm-4-9b*", "THUDM/glm-4-9b*"),
    brings_code=True,
    template="glm-4",
    checkpoints=checkpoints(
        """
        zai-org/glm-4-9b          ZhipuAI/=  9B  -  -
        zai-org/glm-4-9b-chat     ZhipuAI/=  9B  -  -
        zai-org/glm-4-9b-chat-1m  ZhipuAI/=  9B  -  -
        """,
        LLAMA_FACTORY,
        MS_SWIFT,
    ),
)
