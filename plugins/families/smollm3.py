"""SmolLM3 (https://huggingface.co/docs/transformers/model_doc/smollm3)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import VLLM

SMOLLM3 = Family(
    architectures=("SmolLM3ForCausalLM",),
    model_types=("smollm3",),
    ids=("HuggingFaceTB/SmolLM3-*",),
    template="smollm3",
    checkpoints=checkpoints(
        """
        HuggingFaceTB/SmolLM3-3B  -  3B  -  -
        """,
        VLLM,
    ),
)
