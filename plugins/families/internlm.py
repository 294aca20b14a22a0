"""InternLM (https://github.com/InternLM/InternLM-techreport), whose code comes with it."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

INTERNLM = Family(
    architectures=("InternLMForCausalLM",),
    model_types=("internlm",),
    ids=("internlm/internlm-*",),
    brings_code=True,
    template="internlm",
    checkpoints=checkpoints(
        """
        internlm/internlm-7b        Shanghai_AI_Laboratory/=  7B   -  -
        internlm/internlm-20b       Shanghai_AI_Laboratory/=  20B  -  -
        internlm/internlm-chat-7b   Shanghai_AI_Laboratory/=  7B   -  -
        internlm/internlm-chat-20b  Shanghai_AI_Laboratory/=  20B  -  -
        """,
        LLAMA_FACTORY,
    ),
)
