"""DeepSeek V3 of March 2025: tokens for User and Assistant, a bare system prompt.

Source: the chat template of deepseek-ai/DeepSeek-V3-0324
(https://huggingface.co/deepseek-ai/DeepSeek-V3-0324).
"""

from luthier.core.templates import ChatTemplate
from luthier.templates.shared.deepseek import FENCED, TOKENS

TEMPLATE = ChatTemplate(
    special_tokens=TOKENS,
    bos_token="<｜begin▁of▁sentence｜>",
    eos_token="<｜end▁of▁sentence｜>",
    stops=("<｜end▁of▁sentence｜>", "<｜tool▁outputs▁begin｜>"),
    begin="{{ bos_token }}",
    system="{{ content }}",
    user="<｜User｜>{{ content }}",
    # results are answered without another token of the assistant
    answer_prefix=(
        "{% if loop.first or loop.previtem['role'] != 'tool' %}<｜Assistant｜>{% endif %}"
    ),
    answer_end="{{ eos_token }}",
    prompt=("{% if not messages or messages[-1]['role'] != 'tool' %}<｜Assistant｜>{% endif %}"),
    # a question is followed by the token of the assistant, whether or not an answer is asked for
    finish="{% if messages and messages[-1]['role'] == 'user' %}<｜Assistant｜>{% endif %}",
    tools=FENCED,
)
