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
    # a question ends in the prompt, whether or not an answer is asked for
    user="Human: {{ content }}\n\nAssistant: {{ eos_token }}",
    answer_end="{{ eos_token }}",
)
