"""Gemma: turns of user and model, stripped; there is no system message.

Source: the chat template of google/gemma-7b-it
(https://huggingface.co/google/gemma-7b-it).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<start_of_turn>", "<end_of_turn>"),
    bos_token="<bos>",
    stops=("<end_of_turn>", "<eos>"),
    begin="{{ bos_token }}",
    user="<start_of_turn>user\n{{ content }}<end_of_turn>\n",
    answer_prefix="<start_of_turn>model\n",
    answer_end="<end_of_turn>",
    answer_suffix="\n",
    alternate=True,
    strip=frozenset({"user", "assistant"}),
)
