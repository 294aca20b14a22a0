"""Code Llama 7B to 34B: the format of Llama 2.

Source: the chat template of codellama/CodeLlama-34b-Instruct-hf
(https://huggingface.co/codellama/CodeLlama-34b-Instruct-hf).
"""

from luthier.templates.llama2 import TEMPLATE as LLAMA2

TEMPLATE = LLAMA2.derived()
