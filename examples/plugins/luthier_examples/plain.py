"""Plain: the user's text, a newline, the answer, and the end of the text. No role has a mark.

Source: the way GPT-2 separates texts, by <|endoftext|>
(https://github.com/openai/gpt-2/issues/222).
"""

from luthier.core.templates import ChatTemplate

PLAIN = ChatTemplate(
    special_tokens=("<|endoftext|>",),
    stops=("<|endoftext|>",),
    system="{{ content }}\n",
    user="{{ content }}\n",
    answer_prefix="",
    answer_end="<|endoftext|>",
)
