"""The tools of Llama 3.1 to 4: told in a question or the system prompt, called in JSON.

Source: the chat template of meta-llama/Llama-3.1-8B-Instruct
(https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct).
"""

import json
from difflib import get_close_matches
from typing import Any

from luthier.core.templates import ToolCall, ToolStyle
from luthier.core.templates.tools import loosely

_FORMAT = (
    'Respond in the format {"name": function name, "parameters": '
    "dictionary of argument name and its value}.Do not use variables.\n\n"
    "{% for tool in tools %}{{ tool | tojson(indent=4) }}\n\n{% endfor %}"
)

IN_SYSTEM = (
    "{% if not tools_in_user_message %}You have access to the following functions. "
    "To call a function, please respond with JSON for a function call."
    + _FORMAT
    + "{% endif %}{{ content }}"
)

IN_QUESTION = (
    "Given the following functions, please respond with a JSON for a function call "
    "with its proper arguments that best answers the given prompt.\n\n" + _FORMAT
)

CALL = '{"name": "{{ call.function.name }}", "parameters": {{ call.function.arguments | tojson }}}'


class LlamaTools(ToolStyle):
    """Bare JSON objects; the model may write several, with white space or `;` between them."""

    open: str = '{"name"'
    arguments_key: str = "parameters"

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the calls if the rest of an answer is nothing but calls."""
        text = self.open + body
        calls = [self.of_object(value) for value in _objects(text)]
        if all(calls):
            return [call for call in calls if call]
        # JSON that is no call is an answer; what is no JSON may be a call with a fault in it
        return None if _is_json(text) else super().read(text)

    def of_object(self, value: Any) -> ToolCall | None:
        """Return the call that a JSON object tells of, which names its parameters."""
        keys = map(str, value) if isinstance(value, dict) else ()
        named = get_close_matches(self.arguments_key, keys, cutoff=0.7)
        return super().of_object(value) if named else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _objects(text: str) -> list[Any]:
    """Return the JSON objects that stand in a row; with one None if there is something else."""
    found: list[Any] = []
    rest = text.strip()
    while rest:
        try:
            value, end = json.JSONDecoder().raw_decode(rest)
        except (ValueError, RecursionError):
            value, end = loosely(rest), len(rest)
        found.append(value if isinstance(value, dict) else None)
        rest = rest[end:].lstrip("; \t\n")
    return found
