"""MiniCPM and MiniCPM4 (https://arxiv.org/abs/2404.06395), whose code comes with them."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT

MINICPM = Family(
    architectures=("MiniCPMForCausalLM",),
    model_types=("minicpm",),
    ids=("openbmb/MiniCPM-1B-*", "openbmb/MiniCPM-2B-*", "openbmb/MiniCPM4-*"),
    brings_code=True,
    template="minicpm",
    chat_templates=("minicpm4",),
    checkpoints=(
        *checkpoints(
            """
            openbmb/MiniCPM-2B-sft-bf16  OpenBMB/miniCPM-bf16  2B  -  -
            openbmb/MiniCPM-2B-dpo-bf16  OpenBMB/=             2B  -  -
            """,
            LLAMA_FACTORY,
        ),
        *checkpoints(
            """
            openbmb/MiniCPM-1B-sft-bf16  OpenBMB/=  1B  -  -
            """,
            MS_SWIFT,
        ),
        *checkpoints(
            """
            openbmb/MiniCPM-2B-128k  OpenBMB/=  2B    -  -
            openbmb/MiniCPM4-0.5B    OpenBMB/=  0.5B  -  -
            openbmb/MiniCPM4-8B      OpenBMB/=  8B    -  -
            """,
            MS_SWIFT,
            template="minicpm4",
        ),
    ),
)
