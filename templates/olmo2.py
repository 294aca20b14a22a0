"""OLMo 2: the turns of Tulu 3 after a BOS token.

Source: the chat template of allenai/OLMo-2-1124-7B-Instruct
(https://huggingface.co/allenai/OLMo-2-1124-7B-Instruct).
"""

from luthier.templates.tulu3 import TEMPLATE as TULU3

TEMPLATE = TULU3.derived(
    bos_token="<|endoftext|>",
    eos_token="<|endoftext|>",
    stops=("<|endoftext|>",),
    begin="{{ bos_token }}",
)
