"""Falcon3: role tags as plain text, tools in the system prompt, calls as OpenAI writes them.

Source: the chat template of tiiuae/Falcon3-3B-Instruct
(https://huggingface.co/tiiuae/Falcon3-3B-Instruct).
"""

from typing import Any

from luthier.core.templates import ChatTemplate, ToolCall, ToolStyle


class _Calls(ToolStyle):
    """A list of calls: as OpenAI writes them, or names and arguments as the prompt tells."""

    def of_object(self, value: Any) -> ToolCall | None:
        """Return the call that an object tells of, with the id that may stand beside it."""
        call = super().of_object(value)
        if call is None and isinstance(value, dict):
            # by its place, for its key may be misspelt
            inner = next((part for part in value.values() if isinstance(part, dict)), {})
            call = super().of_object({"id": value.get("id"), **inner})
        return call


_CALLS = _Calls(
    definitions=(
        "{{ content }}You are a Falcon assistant skilled in function calling. "
        "You are helpful, respectful, and concise.\n\n# Tools\n\n"
        "You have access to the following functions. You MUST use them to answer questions when "
        "needed. For each function call, you MUST return a JSON object inside "
        "<tool_call></tool_call> tags.\n\n<tools>{{ tools | tojson(indent=2) }}</tools>\n\n"
        "# Output Format\n\n"
        "Your response MUST follow this format when making function calls:\n<tool_call>\n[\n"
        '  {"name": "function_name", "arguments": {"arg1": "value1", "arg2": "value2"}},\n'
        '  {"name": "another_function", "arguments": {"arg": "value"}}\n]\n</tool_call>\n'
        "If no function calls are needed, respond normally without the tool_call tags."
    ),
    calls="\n<tool_call>\n{{ calls | tojson(indent=2) }}\n</tool_call>",
    result="<|assistant|>\n<tool_response>\n{{ content }}\n</tool_response>\n",
    open="<tool_call>",
    close="</tool_call>",
)

TEMPLATE = ChatTemplate(
    eos_token="<|endoftext|>",
    stops=("{{ eos_token }}",),
    system="<|system|>\n{{ content }}\n",
    user="<|user|>\n{{ content }}\n",
    # the authors leave the tag out before calls without a text, though not in the prompt
    answer_prefix=("{% if content or not message['tool_calls'] %}<|assistant|>\n{% endif %}"),
    answer_end="{{ eos_token }}",
    answer_suffix="{% if tools or not loop.last %}\n{% endif %}",
    prompt="<|assistant|>\n",
    tools=_CALLS,
)
