"""Yi: plain ChatML.

Source: the chat template of 01-ai/Yi-34B-Chat
(https://huggingface.co/01-ai/Yi-34B-Chat).
"""

from luthier.templates.chatml import TEMPLATE as CHATML

TEMPLATE = CHATML.derived()
