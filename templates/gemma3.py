"""Gemma 3: the format of Gemma, the system prompt within the first question.

Source: the chat template of google/gemma-3-1b-it
(https://huggingface.co/google/gemma-3-1b-it).
"""

from luthier.templates.gemma import TEMPLATE as GEMMA

TEMPLATE = GEMMA.derived(
    refuses_system=False,
    user=(
        "<start_of_turn>user\n{% if loop.first and system is not none %}{{ system }}\n\n"
        "{% endif %}{{ content }}<end_of_turn>\n"
    ),
)
