"""OpenChat 3.5: roles of GPT-4 as plain text with a token after each turn.

Source: the chat template of openchat/openchat-3.5-0106
(https://huggingface.co/openchat/openchat-3.5-0106).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<|end_of_turn|>",),
    bos_token="<s>",
    stops=("<|end_of_turn|>",),
    begin="{{ bos_token }}",
    system="GPT4 Correct System: {{ content }}<|end_of_turn|>",
    user="GPT4 Correct User: {{ content }}<|end_of_turn|>",
    answer_prefix="GPT4 Correct Assistant:",
    answer=" {{ content }}",
    answer_end="<|end_of_turn|>",
)
