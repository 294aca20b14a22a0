"""Yi-Coder: plain ChatML.

Source: the chat template of 01-ai/Yi-Coder-1.5B-Chat
(https://huggingface.co/01-ai/Yi-Coder-1.5B-Chat).
"""

from luthier.templates.chatml import TEMPLATE as CHATML

TEMPLATE = CHATML.derived()
