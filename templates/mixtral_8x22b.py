"""Mixtral 8x22B: Mistral 7B v0.3, but the system prompt needs a question at the very end.

Source: the chat template in GGUF copies of mistralai/Mixtral-8x22B-Instruct-v0.1
(https://huggingface.co/mistralai/Mixtral-8x22B-Instruct-v0.1). A conversation that ends with an
answer loses its system prompt in the authors' text, so the prompt is no prefix of it.
"""

from luthier.templates.shared.mistral import mistral

TEMPLATE = mistral(3, space=" ", before="{%- set system_if_asked = true -%}")
