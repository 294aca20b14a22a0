"""Kimi K2.5: Kimi K2 Thinking without a default system prompt; its prompt opens the thoughts.

Source: the chat template of moonshotai/Kimi-K2.5 (https://huggingface.co/moonshotai/Kimi-K2.5).
"""

from luthier.core.templates import Thinking
from luthier.templates.kimi_k2_thinking import TEMPLATE as KIMI_K2_THINKING

_PREFIX = "<|im_assistant|>assistant<|im_middle|><think>"

TEMPLATE = KIMI_K2_THINKING.derived(
    # with tools there is a system prompt, be it an empty one, although none was given
    system=(
        "{% if content or messages[0]['role'] == 'system' %}"
        "<|im_system|>system<|im_middle|>{{ content }}<|im_end|>{% endif %}"
    ),
    default_system=None,
    # an answer's own thoughts are `thinking` too
    begin=KIMI_K2_THINKING.begin + "{% set quiet = thinking is defined and not thinking %}",
    thinking=Thinking(prompted=True, kept="none"),
    answer_prefix=_PREFIX,
    answer=KIMI_K2_THINKING.answer.replace("<think>{% if", "{% if not quiet and"),
    prompt=_PREFIX + "{% if quiet %}</think>{% endif %}",
    options={"thinking": None},
)
