"""Command R: turns between tokens of their own; a question and an answer are stripped.

Source: the chat template of CohereForAI/c4ai-command-r-v01
(https://huggingface.co/CohereForAI/c4ai-command-r-v01).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=(
        "<|START_OF_TURN_TOKEN|>",
        "<|END_OF_TURN_TOKEN|>",
        "<|SYSTEM_TOKEN|>",
        "<|USER_TOKEN|>",
        "<|CHATBOT_TOKEN|>",
    ),
    bos_token="<BOS_TOKEN>",
    stops=("<|END_OF_TURN_TOKEN|>",),
    begin="{{ bos_token }}",
    system="<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{{ content }}<|END_OF_TURN_TOKEN|>",
    user="<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{{ content }}<|END_OF_TURN_TOKEN|>",
    answer_prefix="<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    answer_end="<|END_OF_TURN_TOKEN|>",
    alternate=True,
    strip=frozenset({"user", "assistant"}),
)
