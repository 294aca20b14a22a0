"""OLMoE (Muennighoff et al., 2024, https://arxiv.org/abs/2409.02060), a mixture of experts."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import MS_SWIFT

OLMOE = Family(
    architectures=("OlmoeForCausalLM",),
    model_types=("olmoe",),
    ids=("allenai/OLMoE-*",),
    template="default",
    chat_templates=("olmo", "olmo2"),
    checkpoints=checkpoints(
        """
        allenai/OLMoE-1B-7B-0924           =  7B  -  -
        allenai/OLMoE-1B-7B-0924-SFT       =  7B  -  -
        allenai/OLMoE-1B-7B-0924-Instruct  =  7B  -  -
        allenai/OLMoE-1B-7B-0125           =  7B  -  -
        allenai/OLMoE-1B-7B-0125-Instruct  =  7B  -  -
        """,
        MS_SWIFT,
    ),
)
