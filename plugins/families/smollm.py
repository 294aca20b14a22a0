"""SmolLM and SmolLM2 (https://arxiv.org/abs/2502.02737), built like Llama."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT

SMOLLM = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("HuggingFaceTB/SmolLM-*", "HuggingFaceTB/SmolLM2-*"),
    template="smollm2",
    chat_templates=("smollm",),
    checkpoints=checkpoints(
        """
        HuggingFaceTB/SmolLM2-135M           -  135M  8192  -
        HuggingFaceTB/SmolLM2-360M           -  360M  8192  -
        HuggingFaceTB/SmolLM2-1.7B           -  1.7B  8192  -
        HuggingFaceTB/SmolLM2-135M-Instruct  -  135M  8192  -
        HuggingFaceTB/SmolLM2-360M-Instruct  -  360M  8192  -
        HuggingFaceTB/SmolLM2-1.7B-Instruct  -  1.7B  8192  -
        """,
        LITGPT,
    ),
)
