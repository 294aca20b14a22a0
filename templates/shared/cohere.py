"""How the answers of Cohere's models since Command R7B are read.

Source: the chat templates of CohereForAI/c4ai-command-r7b-12-2024
(https://huggingface.co/CohereForAI/c4ai-command-r7b-12-2024).
"""

from luthier.core.templates import Thinking, ToolStyle

THOUGHTS = Thinking(open="<|START_THINKING|>", close="<|END_THINKING|>", kept="all")

ACTIONS = ToolStyle(
    open="<|START_ACTION|>",
    close="<|END_ACTION|>",
    # not around calls, but what is left out of an answer just the same
    section=("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    name_key="tool_name",
    arguments_key="parameters",
)
