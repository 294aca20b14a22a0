"""ChatGLM3 (https://github.com/zai-org/ChatGLM3), whose code comes with it.

It stands for a ChatGLM whose line is not told.
"""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT

CHATGLM3 = Family(
    architectures=("ChatGLMModel", "ChatGLMForConditionalGeneration"),
    model_types=("chatglm",),
    ids=("zai-org/chatglm3-*", "THUDM/chatglm3-*"),
    brings_code=True,
    template="chatglm3",
    general_template="default",
    checkpoints=checkpoints(
        """
        zai-org/chatglm3-6b-base  ZhipuAI/=  6B  -  -
        zai-org/chatglm3-6b       ZhipuAI/=  6B  -  -
        zai-org/chatglm3-6b-32k   ZhipuAI/=  6B  -  -
        zai-org/chatglm3-6b-128k  ZhipuAI/=  6B  -  -
        """,
        LLAMA_FACTORY,
        MS_SWIFT,
    ),
)
