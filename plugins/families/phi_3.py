"""Phi-3 and Phi-3.5 (Abdin et al., 2024, https://arxiv.org/abs/2404.14219).

It stands for a line of its architecture that is not told. Phi-3-small, whose code comes with it, is
a family of its own.
"""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY

PHI_3 = Family(
    architectures=("Phi3ForCausalLM", "PhimoeForCausalLM", "PhiMoEForCausalLM"),
    model_types=("phi3", "phimoe"),
    ids=("microsoft/Phi-3-mini-*", "microsoft/Phi-3-medium-*", "microsoft/Phi-3.5-*"),
    template="phi-3",
    general_template="default",
    chat_templates=("phi-3-medium", "phi-3.5"),
    checkpoints=(
        *checkpoints(
            """
            microsoft/Phi-3-mini-4k-instruct    LLM-Research/=  -  4096    -
            microsoft/Phi-3-mini-128k-instruct  LLM-Research/=  -  131072  -
            """,
            LLAMA_FACTORY,
            LITGPT,
        ),
        *checkpoints(
            """
            microsoft/Phi-3-medium-4k-instruct    LLM-Research/=  14B  -  -
            microsoft/Phi-3-medium-128k-instruct  LLM-Research/=  14B  -  -
            """,
            LLAMA_FACTORY,
            LITGPT,
            template="phi-3-medium",
        ),
        *checkpoints(
            """
            microsoft/Phi-3.5-mini-instruct  LLM-Research/=  -    -  -
            microsoft/Phi-3.5-MoE-instruct   LLM-Research/=  42B  -  -
            """,
            LLAMA_FACTORY,
            LITGPT,
            template="phi-3.5",
        ),
    ),
)
