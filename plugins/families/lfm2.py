"""LFM2 (https://arxiv.org/abs/2511.23404): convolutions and attention, dense or of experts."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import VLLM

LFM2 = Family(
    architectures=("Lfm2ForCausalLM", "Lfm2MoeForCausalLM"),
    model_types=("lfm2", "lfm2_moe"),
    ids=("LiquidAI/LFM2-*", "LiquidAI/LFM2.5-*"),
    template="lfm2",
    checkpoints=(
        *checkpoints(
            """
            LiquidAI/LFM2-350M  -  350M  -  lfm1.0
            LiquidAI/LFM2-700M  -  700M  -  lfm1.0
            LiquidAI/LFM2-1.2B  -  1.2B  -  -
            """,
            VLLM,
            "https://huggingface.co/LiquidAI/LFM2-350M",
            "https://huggingface.co/LiquidAI/LFM2-700M",
        ),
        *checkpoints(
            """
            LiquidAI/LFM2.5-1.2B-Instruct  -  1.2B  -  lfm1.0
            """,
            "https://huggingface.co/LiquidAI/LFM2.5-1.2B-Instruct",
        ),
    ),
)
