"""Code Llama 70B: turns with headers, which <step> ends; the prompt stands there unasked.

Source: the chat template of codellama/CodeLlama-70b-Instruct-hf
(https://huggingface.co/codellama/CodeLlama-70b-Instruct-hf), and Meta's code
(https://github.com/meta-llama/codellama/blob/main/llama/generation.py).
"""

from luthier.core.templates import ChatTemplate

_PROMPT = "Source: assistant\nDestination: user\n\n "
_UNASKED = "{% if loop.last and not add_generation_prompt %}" + _PROMPT + "{% endif %}"

TEMPLATE = ChatTemplate(
    special_tokens=("<step>",),
    bos_token="<s>",
    eos_token="</s>",
    stops=("<step>", "</s>"),
    begin="{{ bos_token }}",
    system="Source: system\n\n {{ content }} <step> ",
    user="Source: user\n\n {{ content }} <step> " + _UNASKED,
    # The hub's text leaves the destination of earlier answers out, so the prompt is no prefix of
    # what it writes. Meta's code writes the one that a message has: `destination: user`.
    answer_prefix=(
        "Source: assistant{% if destination is defined %}\nDestination: {{ destination }}"
        "{% endif %}\n\n "
    ),
    answer_end=" <step>",
    answer_suffix=" " + _UNASKED,
    prompt=_PROMPT,
    alternate=True,
    strip=frozenset({"system", "user", "assistant"}),
    options={"destination": None},
)
