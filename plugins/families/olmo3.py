"""OLMo 3 (https://huggingface.co/docs/transformers/model_doc/olmo3)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import VLLM

OLMO3 = Family(
    architectures=("Olmo3ForCausalLM",),
    model_types=("olmo3",),
    ids=("allenai/Olmo-3*",),
    template="olmo3",
    chat_templates=("olmo3-think",),
    checkpoints=(
        *checkpoints(
            """
            allenai/Olmo-3-7B-Instruct  -  7B  -  -
            """,
            VLLM,
        ),
        *checkpoints(
            """
            allenai/Olmo-3-32B-Think  -  32B  -  -
            """,
            VLLM,
            template="olmo3-think",
        ),
    ),
)
