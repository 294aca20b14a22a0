"""Ministral and Ministral 3 (https://huggingface.co/docs/transformers/model_doc/ministral3).

Those of 2512 that see hold it as their text model; Ministral 8B of 2410 is a Mistral.
"""

from luthier.core.model.families import Family

MINISTRAL = Family(
    architectures=("MinistralForCausalLM", "Ministral3ForCausalLM"),
    model_types=("ministral", "ministral3"),
    template="default",
    chat_templates=("ministral-3-reasoning", "magistral"),
)
