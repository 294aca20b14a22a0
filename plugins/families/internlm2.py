"""InternLM2 and 2.5, whose code comes with them (https://arxiv.org/abs/2403.17297)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT

INTERNLM2 = Family(
    architectures=("InternLM2ForCausalLM",),
    model_types=("internlm2",),
    ids=("internlm/internlm2*",),
    brings_code=True,
    template="internlm2",
    checkpoints=checkpoints(
        """
        internlm/internlm2-1_8b          Shanghai_AI_Laboratory/=  1.8B  -  -
        internlm/internlm2-7b            Shanghai_AI_Laboratory/=  7B    -  -
        internlm/internlm2-20b           Shanghai_AI_Laboratory/=  20B   -  -
        internlm/internlm2-base-7b       Shanghai_AI_Laboratory/=  7B    -  -
        internlm/internlm2-base-20b      Shanghai_AI_Laboratory/=  20B   -  -
        internlm/internlm2-chat-1_8b     Shanghai_AI_Laboratory/=  1.8B  -  -
        internlm/internlm2-chat-7b       Shanghai_AI_Laboratory/=  7B    -  -
        internlm/internlm2-chat-20b      Shanghai_AI_Laboratory/=  20B   -  -
        internlm/internlm2-math-7b       Shanghai_AI_Laboratory/=  7B    -  -
        internlm/internlm2-math-20b      Shanghai_AI_Laboratory/=  20B   -  -
        internlm/internlm2_5-1_8b        Shanghai_AI_Laboratory/=  1.8B  -  -
        internlm/internlm2_5-7b          Shanghai_AI_Laboratory/=  7B    -  -
        internlm/internlm2_5-20b         Shanghai_AI_Laboratory/=  20B   -  -
        internlm/internlm2_5-1_8b-chat   Shanghai_AI_Laboratory/=  1.8B  -  -
        internlm/internlm2_5-7b-chat     Shanghai_AI_Laboratory/=  7B    -  -
        internlm/internlm2_5-7b-chat-1m  Shanghai_AI_Laboratory/=  7B    -  -
        internlm/internlm2_5-20b-chat    Shanghai_AI_Laboratory/=  20B   -  -
        """,
        LLAMA_FACTORY,
        MS_SWIFT,
    ),
)
