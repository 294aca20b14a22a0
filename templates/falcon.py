"""Falcon: User and Assistant as plain text, blank lines of a content made one.

Source: the chat template of tiiuae/falcon-7b-instruct
(https://huggingface.co/tiiuae/falcon-7b-instruct).
"""

from luthier.core.templates import ChatTemplate

CONTENT = r"{{ content.replace('\r\n', '\n').replace('\n\n', '\n') }}"

TEMPLATE = ChatTemplate(
    eos_token="<|endoftext|>",
    stops=("<|endoftext|>",),
    system="{{ content }}",
    user=f"\n\nUser: {CONTENT}",
    answer_prefix="\n\nAssistant:",
    answer=f" {CONTENT}",
    strip=frozenset({"system", "user", "assistant"}),
)
