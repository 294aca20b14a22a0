"""InternLM3, built as Llama (https://huggingface.co/internlm/internlm3-8b-instruct)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

INTERNLM3 = Family(
    architectures=("InternLM3ForCausalLM", "LlamaForCausalLM"),
    model_types=("internlm3",),
    ids=("internlm/internlm3-*",),
    template="internlm3",
    checkpoints=checkpoints(
        """
        internlm/internlm3-8b-instruct  Shanghai_AI_Laboratory/=  8B  -  -
        """,
        LLAMA_FACTORY,
    ),
)
