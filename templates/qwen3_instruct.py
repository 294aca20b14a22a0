"""Qwen3 Instruct 2507: ChatML with Hermes tools, without thoughts.

Source: the chat template of Qwen/Qwen3-30B-A3B-Instruct-2507
(https://huggingface.co/Qwen/Qwen3-30B-A3B-Instruct-2507).
"""

from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.hermes import HERMES

TEMPLATE = CHATML.derived(tools=HERMES)
