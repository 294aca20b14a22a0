"""Qwen3.5 and Qwen3.6: linear and full attention in turn, and experts in the larger ones.

Source: https://huggingface.co/docs/transformers/model_doc/qwen3_5. Its text model is trained here.
"""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import MS_SWIFT

QWEN3_5 = Family(
    architectures=(
        "Qwen3_5ForCausalLM",
        "Qwen3_5ForConditionalGeneration",
        "Qwen3_5MoeForCausalLM",
        "Qwen3_5MoeForConditionalGeneration",
    ),
    model_types=("qwen3_5", "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text"),
    ids=("Qwen/Qwen3.5-*", "Qwen/Qwen3.6-*"),
    template="qwen3.5",
    chat_templates=("qwen3.6",),
    checkpoints=(
        *checkpoints(
            """
            Qwen/Qwen3.5-0.8B       =  0.8B  -  -
            Qwen/Qwen3.5-2B         =  2B    -  -
            Qwen/Qwen3.5-4B         =  4B    -  -
            Qwen/Qwen3.5-9B         =  9B    -  -
            Qwen/Qwen3.5-27B        =  27B   -  -
            Qwen/Qwen3.5-0.8B-Base  =  0.8B  -  -
            Qwen/Qwen3.5-2B-Base    =  2B    -  -
            Qwen/Qwen3.5-4B-Base    =  4B    -  -
            Qwen/Qwen3.5-9B-Base    =  9B    -  -
            """,
            MS_SWIFT,
        ),
        *checkpoints(
            """
            Qwen/Qwen3.6-35B-A3B  -  35B  -  -
            """,
            "https://huggingface.co/Qwen/Qwen3.6-35B-A3B",
            template="qwen3.6",
        ),
    ),
)
