"""Gemma 4: turns in new tokens, thoughts in a channel, tools and their results in one model turn.

Source: the chat template of google/gemma-4-31B-it (https://huggingface.co/google/gemma-4-31B-it).
"""

from luthier.core.templates import ChatTemplate, Thinking
from luthier.templates.shared.gemma import GemmaCalls, gemma4

TEMPLATE = ChatTemplate(
    special_tokens=(
        "<|turn>",
        "<turn|>",
        "<|think|>",
        "<|channel>",
        "<channel|>",
        "<|tool>",
        "<tool|>",
        "<|tool_call>",
        "<tool_call|>",
        "<|tool_response>",
        "<tool_response|>",
        '<|"|>',
    ),
    bos_token="<bos>",
    # after calls the model goes on to their results, which are not its own
    stops=("<turn|>", "<|tool_response>"),
    strip=frozenset({"assistant"}),
    source=gemma4(closed=True),
    thinking=Thinking(open="<|channel>thought\n", close="<channel|>", kept="after-question"),
    tools=GemmaCalls(),
    options={"enable_thinking": None, "preserve_thinking": None, "thinking": None},
)
