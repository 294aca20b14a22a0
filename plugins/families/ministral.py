"""Ministral and Ministral 3 (https://huggingface.co/docs/transformers/model_doc/ministral3).

Those of 2512 see, and hold it as the text model of a class that AutoModelForCausalLM does not open,
so none is listed; Ministral 8B of 2410 says in its config that it is a Mistral, and stands there.
"""

from luthier.core.model.families import Family

MINISTRAL = Family(
    architectures=("MinistralForCausalLM", "Ministral3ForCausalLM"),
    model_types=("ministral", "ministral3"),
    template="default",
    chat_templates=("ministral-3-reasoning", "magistral"),
)
