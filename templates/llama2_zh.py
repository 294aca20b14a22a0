"""Chinese-Alpaca-2: the tags of Llama 2, a system prompt of its own, no BOS at the start.

Source: the prompts of the authors' server
(https://github.com/ymcui/Chinese-LLaMA-Alpaca-2/blob/main/scripts/openai_server_demo/openai_api_server.py).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    bos_token="<s>",
    eos_token="</s>",
    stops=("</s>",),
    system="{% set opening = content %}",
    default_system="You are a helpful assistant. 你是一个乐于助人的助手。",
    user=(
        "{% if loop.first %}[INST] <<SYS>>\n{{ opening }}\n<</SYS>>\n\n"
        "{% else %}{{ bos_token }}[INST] {% endif %}{{ content }} [/INST]"
    ),
    # the authors' training code writes no space, but encodes the answer apart from the question,
    # where SentencePiece puts one before it
    answer=" {{ content }}",
    answer_end="{{ eos_token }}",
)
