"""Yi-1.5: ChatML whose system prompt stands bare.

Source: the chat template of 01-ai/Yi-1.5-34B-Chat
(https://huggingface.co/01-ai/Yi-1.5-34B-Chat).
"""

from luthier.templates.chatml import TEMPLATE as CHATML

TEMPLATE = CHATML.derived(
    system="{{ content }}",
)
