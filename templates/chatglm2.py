"""ChatGLM2: numbered rounds of question and answer.

Source: the prompt code of THUDM/chatglm2-6b
(https://huggingface.co/THUDM/chatglm2-6b).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("[gMASK]", "sop"),
    eos_token="</s>",
    stops=("</s>",),
    begin="[gMASK]sop",
    alternate=True,
    user="[Round {{ loop.index0 // 2 + 1 }}]\n\n问：{{ content }}\n\n",
    answer_prefix="答：",
    answer_suffix="\n\n",
)
