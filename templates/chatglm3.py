"""ChatGLM3: role tokens, each content on a line of its own behind a space.

Source: the prompt code of THUDM/chatglm3-6b (https://huggingface.co/THUDM/chatglm3-6b). Its tools,
which call by Python code under the name of the tool, are not written here yet, and are refused.
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=(
        "[gMASK]", "sop", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>",
    ),
    stops=("<|user|>", "</s>", "<|observation|>"),
    begin="[gMASK]sop",
    system="<|system|>\n {{ content }}",
    user="<|user|>\n {{ content }}",
    answer_prefix="<|assistant|>",
    answer="\n {{ content }}",
    tools=None,
)  # fmt: skip
