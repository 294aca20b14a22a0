"""OLMo (Groeneveld et al., 2024, https://arxiv.org/abs/2402.00838)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY, OPEN_LLMS

OLMO = Family(
    architectures=("OlmoForCausalLM",),
    model_types=("olmo",),
    ids=("allenai/OLMo-1B*", "allenai/OLMo-7B*", "allenai/OLMo-1.7-*"),
    template="olmo",
    checkpoints=checkpoints(
        """
        allenai/OLMo-1B-hf           -  1B  2048  apache-2.0
        allenai/OLMo-7B-hf           -  7B  2048  apache-2.0
        allenai/OLMo-7B-Instruct-hf  -  7B  2048  -
        allenai/OLMo-1.7-7B-hf       -  7B  -     -
        """,
        LLAMA_FACTORY,
        LITGPT,
        OPEN_LLMS,
    ),
)
