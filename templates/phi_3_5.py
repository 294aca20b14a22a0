"""Phi-3.5: the format of Phi-3, an empty system message left out.

Source: the chat template of microsoft/Phi-3.5-mini-instruct
(https://huggingface.co/microsoft/Phi-3.5-mini-instruct).
"""

from luthier.templates.phi_3 import TEMPLATE as PHI_3

TEMPLATE = PHI_3.derived(
    system="{% if content %}<|system|>\n{{ content }}<|end|>\n{% endif %}",
)
