"""ERNIE 4.5: User and Assistant as plain text between two tokens of sentences.

Source: the chat template of baidu/ERNIE-4.5-21B-A3B-PT
(https://huggingface.co/baidu/ERNIE-4.5-21B-A3B-PT). The two tokens are the tokenizer's `cls_token`
and `sep_token`, which are these in every release.
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<|begin_of_sentence|>", "<|end_of_sentence|>"),
    stops=("<|end_of_sentence|>", "</s>"),
    begin="<|begin_of_sentence|>",
    system="{{ content }}\n",
    user="User: {{ content }}\n",
    answer_prefix="Assistant: ",
    answer_end="<|end_of_sentence|>",
    options={"cls_token": None, "sep_token": None},
)
