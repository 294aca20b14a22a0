"""GLM-4.7: the format of GLM-4.5 without line ends; the prompt opens thoughts, or closes them.

Source: the chat template of zai-org/GLM-4.7 (https://huggingface.co/zai-org/GLM-4.7).
"""

from luthier.core.templates import ChatTemplate, Thinking
from luthier.templates.shared.glm import ROLES, STOPS, declared, keyed, system

KEEPS = "(loop.index0 > last_question or (clear_thinking is defined and not clear_thinking))"

TEMPLATE = ChatTemplate(
    special_tokens=("[gMASK]", "<sop>", *ROLES),
    eos_token="<|endoftext|>",
    stops=STOPS,
    begin="[gMASK]<sop>" + declared(""),
    system=system(""),
    user="<|user|>{{ content }}",
    strip=frozenset({"assistant"}),
    thinking=Thinking(prompted=True, kept="after-question"),
    # what a prompt ends with that asks for thoughts, or for none
    answer_prefix=(
        f"<|assistant|>{{% set thinks = thinking and {KEEPS} %}}"
        "{% if thinks %}<think>{% else %}</think>{% endif %}"
    ),
    answer="{% if thinks %}{{ thinking.strip() }}</think>{% endif %}{{ content.strip() }}",
    prompt=(
        "<|assistant|>{% if enable_thinking is defined and not enable_thinking %}</think>"
        "{% else %}<think>{% endif %}"
    ),
    options={"enable_thinking": None, "clear_thinking": None},
    tools=keyed(""),
)
