"""The tool style of GLM-4.5 and later: a call's arguments between tags for keys and for values.

Source: the chat templates of zai-org/GLM-4.5 and zai-org/GLM-4.7 (https://huggingface.co/zai-org).
"""

import json
import re
from typing import Any

from luthier.core.templates import ToolCall, ToolStyle

ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
STOPS = ("<|user|>", "<|endoftext|>", "<|observation|>")


def _nearly(*tags: str) -> re.Pattern[str]:
    """Return what finds tags, in which one character may be wrong."""
    within = [f"{tag[:n]}.{{0,2}}{tag[n + 1 :]}" for tag in tags for n in range(1, len(tag) - 1)]
    return re.compile("|".join([*tags, *within, *(t[1:] for t in tags), *(t[:-1] for t in tags)]))


_TAG = _nearly("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>")


class KeyedArguments(ToolStyle):
    """Calls whose arguments are pairs of a key and a value, which is JSON if it is no text."""

    open: str = "<tool_call>"
    close: str = "</tool_call>"
    stop: str = "<|observation|>"

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the call in what stands between `open` and `close`."""
        found = re.match(r"\s*([^\s<]+)\s*(.*)", body, re.DOTALL)
        if found is None:
            return None
        # what lies between tags, whichever they are, is by turns a key and a value
        parts = _TAG.split(found[2])
        pairs = zip(parts[1::4], parts[3::4], strict=False)
        return [ToolCall(found[1], {key.strip(): _value(text) for key, text in pairs})]


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, str) else value


def declared(line: str, tool: str = "{{ tool | tojson }}\n") -> str:
    """Return the Jinja that tells of tools, in a system message of their own.

    Args:
        line: what stands between the tags of a call.
        tool: the Jinja of one tool.
    """
    call = line.join((
        "<tool_call>{function-name}",
        "<arg_key>{arg-key-1}</arg_key>", "<arg_value>{arg-value-1}</arg_value>",
        "<arg_key>{arg-key-2}</arg_key>", "<arg_value>{arg-value-2}</arg_value>",
        "...", "</tool_call>",
    ))  # fmt: skip
    return (
        "{% if tools %}<|system|>\n# Tools\n\n"
        "You may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
        f"{{% for tool in tools %}}{tool}{{% endfor %}}</tools>\n\n"
        "For each function call, output the function name and arguments within the following XML "
        f"format:\n{call}{{% endif %}}"
    )


def keyed(line: str) -> KeyedArguments:
    """Return the tool style with what stands between the tags of calls and of results."""
    return KeyedArguments(
        definitions="{{ content }}",
        calls=(
            "{% for call in calls %}"
            f"{line}<tool_call>{{{{ call.function.name }}}}{line}"
            "{% for name, value in (call.function.arguments or {}).items() %}"
            f"<arg_key>{{{{ name }}}}</arg_key>{line}"
            f"<arg_value>{{{{ value if value is string else value | tojson }}}}</arg_value>{line}"
            "{% endfor %}</tool_call>{% endfor %}"
        ),
        result=(
            "{% if first %}<|observation|>{% endif %}"
            f"{line}<tool_response>{line}{{{{ content }}}}{line}</tool_response>"
        ),
    )


def system(line: str) -> str:
    """Return the slot of system messages: with tools alone there is none."""
    return (
        "{% if loop is defined or messages[0]['role'] == 'system' %}"
        f"<|system|>{line}{{{{ content }}}}{{% endif %}}"
    )
