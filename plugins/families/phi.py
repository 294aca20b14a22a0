"""Phi-1.5 and Phi-2, base models (Li et al., 2023, https://arxiv.org/abs/2309.05463)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY, OPEN_LLMS

PHI = Family(
    architectures=("PhiForCausalLM",),
    model_types=("phi",),
    ids=("microsoft/phi-1*", "microsoft/phi-2"),
    template="default",
    checkpoints=checkpoints(
        """
        microsoft/phi-1_5  allspace/PHI_1-5  1.3B  2048  -
        microsoft/phi-2    AI-ModelScope/=   2.7B  2048  mit
        """,
        LLAMA_FACTORY,
        LITGPT,
        OPEN_LLMS,
    ),
)
