"""Kimi K2: the format of Moonlight with tools, which are told in a message of their own.

Source: the chat template of moonshotai/Kimi-K2-Instruct of July 2025
(https://huggingface.co/moonshotai/Kimi-K2-Instruct).
"""

from luthier.templates.moonlight import TEMPLATE as MOONLIGHT
from luthier.templates.shared.kimi import DECLARED, IDENTIFIED, RESULT_ID, TOKENS

# a backslash and an `n`, not a line end, stand after the id in the authors' first text
_RESULT = f"<|im_system|>tool<|im_middle|>## Return of {RESULT_ID}\\n{{{{ content }}}}<|im_end|>"

# the calls of each answer are numbered anew, whatever their ids; a result has the id it is given
_CALLS = (
    "<|tool_calls_section_begin|>{% for call in calls %}"
    "{% set number = 'functions.' ~ call.function.name ~ ':' ~ loop.index0 %}"
    "{% if not (call['id'] or '').startswith('functions.') %}"
    "{% set numbers.known = dict(numbers.known, **{call['id'] or '': number}) %}{% endif %}"
    "<|tool_call_begin|>{{ number }}<|tool_call_argument_begin|>"
    "{{ call.function.arguments | tojson }}<|tool_call_end|>{% endfor %}"
    "<|tool_calls_section_end|>"
)

TEMPLATE = MOONLIGHT.derived(
    special_tokens=(*MOONLIGHT.special_tokens, *TOKENS),
    begin=DECLARED,
    tools=IDENTIFIED.model_copy(update={"calls": _CALLS, "result": _RESULT}),
)
