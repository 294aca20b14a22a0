"""Phi-4, its mini and its reasoning models (https://arxiv.org/abs/2412.08905), built like Phi-3."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY, MS_SWIFT

PHI_4 = Family(
    architectures=("Phi3ForCausalLM",),
    model_types=("phi3",),
    ids=("microsoft/phi-4*",),
    template="phi-4",
    chat_templates=("phi-4-mini", "phi-4-mini-reasoning", "phi-4-reasoning"),
    checkpoints=(
        *checkpoints(
            """
            microsoft/phi-4  LLM-Research/=  14B  16384  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            LITGPT,
        ),
        *checkpoints(
            """
            microsoft/Phi-4-mini-instruct  LLM-Research/=  -  131072  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            LITGPT,
            template="phi-4-mini",
        ),
        *checkpoints(
            """
            microsoft/Phi-4-mini-reasoning  -  -  131072  -
            """,
            LITGPT,
            template="phi-4-mini-reasoning",
        ),
        *checkpoints(
            """
            microsoft/Phi-4-reasoning       -  -  32768  -
            microsoft/Phi-4-reasoning-plus  -  -  32768  -
            """,
            LITGPT,
            template="phi-4-reasoning",
        ),
    ),
)
