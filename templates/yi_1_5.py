"""Yi-1.5: ChatML whose system prompt stands bare.

Source: the chat template of 01-ai/Yi-1.5-34B-Chat
(https://huggingface.co/01-ai/Yi-1.5-34B-Chat).
"""

from luthier.templates.chatml import TEMPLATE as CHATML

TEMPLATE = CHATML.derived(
    # the authors leave out system messages after the first
    system="{% if loop is not defined %}{{ content }}{% endif %}",
    # a question ends in the prompt, whether or not an answer is asked for
    user=CHATML.user + CHATML.answer_prefix,
    answer_prefix="",
)
