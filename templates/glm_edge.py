"""GLM-Edge: role tokens on lines of their own, no token after an answer.

Source: the chat template of THUDM/glm-edge-4b-chat
(https://huggingface.co/THUDM/glm-edge-4b-chat).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
    eos_token="<|endoftext|>",
    stops=("<|user|>", "<|endoftext|>", "<|observation|>"),
    system="<|system|>\n{{ content }}",
    user="<|user|>\n{{ content }}",
    answer_prefix="<|assistant|>\n",
)
