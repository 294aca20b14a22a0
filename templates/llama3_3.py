"""Llama 3.3: the format of Llama 3.1.

Source: the chat template of meta-llama/Llama-3.3-70B-Instruct
(https://huggingface.co/meta-llama/Llama-3.3-70B-Instruct).
"""

from luthier.templates.llama3_1 import TEMPLATE as LLAMA3_1

TEMPLATE = LLAMA3_1.derived()
