"""InternLM: User and Bot in tags, ends of their own for questions and answers.

Source: the prompt code of internlm/internlm-chat-7b
(https://huggingface.co/internlm/internlm-chat-7b).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<eoh>", "<eoa>"),
    bos_token="<s>",
    stops=("<eoa>", "</s>"),
    begin="{{ bos_token }}",
    system="{% if content %}<|System|>:{{ content }}\n{% endif %}",
    user="<|User|>:{{ content }}<eoh>\n",
    answer_prefix="<|Bot|>:",
    answer_end="<eoa>",
    answer_suffix="\n",
)
