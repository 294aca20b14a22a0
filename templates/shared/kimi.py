"""The tool style of Kimi: each call has its id and its arguments between tokens of its own.

Source: the chat template and the tool guide of moonshotai/Kimi-K2-Instruct
(https://huggingface.co/moonshotai/Kimi-K2-Instruct).
"""

from luthier.core.templates import ToolCall, ToolStyle

TOKENS = (
    "<|tool_calls_section_begin|>",
    "<|tool_calls_section_end|>",
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
)


class _IdentifiedCalls(ToolStyle):
    """Calls whose id tells the name: functions.name:0."""

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the call, with the whole of its id."""
        calls = super().read(body)
        number = body.partition("<|tool_call_argument_begin|>")[0].strip()
        return calls and [call._replace(id=number) for call in calls]


# the tools stand before the system prompt, in a message of their own; `numbers` keeps the ids
DECLARED = (
    "{% set numbers = namespace(known={}, count=0) %}"
    "{% if tools %}<|im_system|>tool_declare<|im_middle|>{{ tools | tojson }}<|im_end|>{% endif %}"
)
DECLARED_TIGHTLY = DECLARED.replace("tojson", "tojson(separators=(',', ':'))")

RESULT_ID = "{{ numbers.known.get(message['tool_call_id'] or '', message['tool_call_id']) }}"

IDENTIFIED = _IdentifiedCalls(
    definitions="{{ content }}",
    calls=(
        "<|tool_calls_section_begin|>{% for call in calls %}"
        # the name of a call is only in its id: one of another form is written as Kimi's
        "{% set number = call['id'] or '' %}"
        "{% if not number.startswith('functions.') %}"
        "{% set number = 'functions.' ~ call.function.name ~ ':' ~ numbers.count %}{% endif %}"
        "{% set numbers.count = numbers.count + 1 %}"
        "{% set numbers.known = dict(numbers.known, **{call['id'] or '': number}) %}"
        "<|tool_call_begin|>{{ number }}<|tool_call_argument_begin|>"
        "{{ call.function.arguments | tojson }}<|tool_call_end|>{% endfor %}"
        "<|tool_calls_section_end|>"
    ),
    result=(
        "<|im_system|>{{ message['name'] or 'tool' }}<|im_middle|>"
        f"## Return of {RESULT_ID}\n{{{{ content }}}}<|im_end|>"
    ),
    open="<|tool_call_begin|>",
    close="<|tool_call_end|>",
    section=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
    pattern=(
        # what stands around the name may be misspelt
        r"\s*(?:functions\.)?(?P<name>[^\s:<]++)[^<]*+"
        r"<\|tool_call_argument_begin\|>(?P<arguments>.*)"
    ),
)
