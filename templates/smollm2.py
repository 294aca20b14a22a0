"""SmolLM2: ChatML with a system prompt of its own.

Source: the chat template of HuggingFaceTB/SmolLM2-1.7B-Instruct
(https://huggingface.co/HuggingFaceTB/SmolLM2-1.7B-Instruct).
"""

from luthier.templates.chatml import TEMPLATE as CHATML

TEMPLATE = CHATML.derived(
    default_system="You are a helpful AI assistant named SmolLM, trained by Hugging Face",
)
