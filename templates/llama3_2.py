"""Llama 3.2: Llama 3.1 with today's date and no built-in tools.

Source: the chat template of meta-llama/Llama-3.2-3B-Instruct
(https://huggingface.co/meta-llama/Llama-3.2-3B-Instruct).
"""

from luthier.templates.llama3_1 import TEMPLATE as LLAMA3_1

TEMPLATE = LLAMA3_1.derived(options={"date_string": None, "tools_in_user_message": True})
