"""InternLM3: the format of InternLM2.

Source: the chat template of internlm/internlm3-8b-instruct
(https://huggingface.co/internlm/internlm3-8b-instruct).
"""

from luthier.templates.internlm2 import TEMPLATE as INTERNLM2

TEMPLATE = INTERNLM2.derived()
