"""GLM-5 (https://huggingface.co/zai-org/GLM-5), a mixture of experts with sparse attention."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import VLLM

GLM_5 = Family(
    architectures=("GlmMoeDsaForCausalLM",),
    model_types=("glm_moe_dsa",),
    ids=("zai-org/GLM-5*",),
    template="glm-5",
    checkpoints=(
        *checkpoints(
            """
            zai-org/GLM-5  -  -  -  -
            """,
            VLLM,
        ),
        *checkpoints(
            """
            zai-org/GLM-5.1  -  -  -  -
            """,
            "https://huggingface.co/zai-org/GLM-5.1",
        ),
    ),
)
