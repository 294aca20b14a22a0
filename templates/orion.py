"""Orion: Human and Assistant as plain text; a system message is left out.

Source: the chat template of OrionStarAI/Orion-14B-Chat
(https://huggingface.co/OrionStarAI/Orion-14B-Chat).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    bos_token="<s>",
    eos_token="</s>",
    stops=("</s>",),
    begin="{{ bos_token }}",
    refuses_system=False,
    user="Human: {{ content }}\n\n",
    answer_prefix="Assistant: {{ eos_token }}",
    answer_end="{{ eos_token }}",
    # a question is followed by the prompt whether or not an answer is asked for
    finish=(
        "{% if messages and messages[-1]['role'] == 'user' %}Assistant: {{ eos_token }}{% endif %}"
    ),
)
