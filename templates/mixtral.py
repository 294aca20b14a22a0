"""Mixtral 8x7B: the format of Mistral 7B v0.1.

Source: the chat template of mistralai/Mixtral-8x7B-Instruct-v0.1
(https://huggingface.co/mistralai/Mixtral-8x7B-Instruct-v0.1).
"""

from luthier.templates.mistral import TEMPLATE as MISTRAL

TEMPLATE = MISTRAL.derived()
