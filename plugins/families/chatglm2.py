"""ChatGLM2 (https://github.com/zai-org/ChatGLM2-6B), whose code comes with it."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT

CHATGLM2 = Family(
    architectures=("ChatGLMModel", "ChatGLMForConditionalGeneration"),
    model_types=("chatglm",),
    ids=("zai-org/chatglm2-*", "THUDM/chatglm2-*"),
    brings_code=True,
    template="chatglm2",
    checkpoints=checkpoints(
        """
        zai-org/chatglm2-6b      ZhipuAI/=  6B  -  -
        zai-org/chatglm2-6b-32k  ZhipuAI/=  6B  -  -
        """,
        LLAMA_FACTORY,
        MS_SWIFT,
    ),
)
