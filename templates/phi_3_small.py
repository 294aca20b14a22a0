"""Phi-3 small: the format of Phi-3 after a BOS token.

Source: the chat template of microsoft/Phi-3-small-8k-instruct
(https://huggingface.co/microsoft/Phi-3-small-8k-instruct).
"""

from luthier.templates.phi_3 import TEMPLATE as PHI_3

TEMPLATE = PHI_3.derived(
    bos_token="<|endoftext|>",
    begin="{{ bos_token }}",
)
