"""The tool style of Qwen3 Coder, which others took over: a call's parameters between XML-like tags.

Source: the chat templates of Qwen/Qwen3-Coder-30B-A3B-Instruct and Qwen/Qwen3.5-4B
(https://huggingface.co/Qwen), and of nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16
(https://huggingface.co/nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16).
"""

import ast
import json
import re
import warnings
from typing import Any

from luthier.core.templates import ToolCall, ToolStyle
from luthier.core.templates.tools import mendable

FORMAT = (
    "\n\nIf you choose to call a function ONLY reply in the following format with NO suffix:\n\n"
    "<tool_call>\n<function=example_function_name>\n"
    "<parameter=example_parameter_1>\nvalue_1\n</parameter>\n"
    "<parameter=example_parameter_2>\nThis is the value for the second parameter\n"
    "that can span\nmultiple lines\n</parameter>\n</function>\n</tool_call>\n\n"
    "<IMPORTANT>\nReminder:\n"
    "- Function calls MUST follow the specified format: an inner <function=...></function> block "
    "must be nested within <tool_call></tool_call> XML tags\n"
    "- Required parameters MUST be specified\n"
    "- You may provide optional reasoning for your function call in natural language BEFORE the "
    "function call, but NOT after\n"
    "- If there is no function call available, answer the question like normal with your current "
    "knowledge and do not tell the user about function calls\n</IMPORTANT>"
)

OBJECT = "value is mapping"
OBJECT_OR_LIST = "value is mapping or (value is sequence and value is not string)"
NO_TEXT = "value is not string"


def told(value: str, as_json: str) -> str:
    """Return the Jinja of a value: JSON where a test of it holds, else as Python writes it."""
    return f"{{% set value = {value} %}}{{{{ value | tojson if {as_json} else value }}}}"


def listed(as_json: str, *, before: str = "", after: str = "") -> str:
    """Return the Jinja that lists the tools as XML.

    Args:
        as_json: the test of values that are written as JSON.
        before: a key that stands before the other keys of a parameter.
        after: a key that stands after the other keys of the parameters.
    """

    def element(schema: str, key: str, how: str) -> str:
        shown = (
            told(f"{schema}.{key}", as_json) if how == "json" else f"{{{{ {schema}.{key} {how} }}}}"
        )
        return f"{{% if {schema}.{key} is defined %}}\n<{key}>{shown}</{key}>{{% endif %}}"

    def others(schema: str, *known: str) -> str:
        return (
            f"{{% for key in {schema} or [] if key not in {[name for name in known if name]} %}}"
            f"\n<{{{{ key }}}}>{told(f'{schema}[key]', as_json)}</{{{{ key }}}}>{{% endfor %}}"
        )

    return (
        "<tools>{% for tool in tools %}{% set tool = tool.function or tool %}"
        "\n<function>\n<name>{{ tool.name }}</name>"
        + element("tool", "description", "| trim")
        + "\n<parameters>{% for name, schema in (tool.parameters.properties or {}).items() %}"
        "\n<parameter>\n<name>{{ name }}</name>"
        + element("schema", "type", "| string")
        + element("schema", "description", "| trim")
        + (element("schema", before, "json") if before else "")
        + others("schema", "name", "type", "description", before)
        + "\n</parameter>{% endfor %}"
        + others("tool.parameters", "type", "properties", after)
        + (element("tool.parameters", after, "json") if after else "")
        + "\n</parameters>"
        + others("tool", "type", "name", "description", "parameters")
        + "\n</function>{% endfor %}\n</tools>"
    )


def called(as_json: str) -> str:
    """Return the Jinja of one call, whose arguments are JSON where a test of them holds."""
    return (
        "<tool_call>\n<function={{ call.function.name }}>\n"
        "{% for name, argument in (call.function.arguments or {}).items() %}"
        f"<parameter={{{{ name }}}}>\n{told('argument', as_json)}\n</parameter>\n{{% endfor %}}"
        "</function>\n</tool_call>"
    )


def calls(as_json: str) -> str:
    """Return the Jinja of an answer's calls, which an empty line parts from its text."""
    return (
        "{% for call in calls %}{% if not loop.first %}\n{% elif content.strip() %}\n\n{% endif %}"
        + called(as_json)
        + "{% endfor %}"
    )


RESULT = (
    "{% if first %}<|im_start|>user\n{% endif %}<tool_response>\n{{ content }}\n</tool_response>\n"
    "{% if last %}<|im_end|>\n{% endif %}"
)


class XmlTools(ToolStyle):
    """Calls whose parameters stand on lines of their own between tags."""

    open: str = "<tool_call>"
    close: str = "</tool_call>"

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the call in what stands between `open` and `close`."""
        # the tag may be misspelt, as long as the name can be told
        found = re.match(r"\s*(?:<?\w*=|<?function\W?)([^>\s]+)>?\s*(.*)", body, re.DOTALL)
        if found is None:
            return None
        # a parameter that is not closed ends where the next one begins
        inner = found[2].rstrip()
        ended = inner.removesuffix("</tool_call>").rstrip()
        inner = ended.removesuffix("</function>") if ended.endswith("</function>") else inner
        parameters = [one.partition(">") for one in inner.split("<parameter=")[1:]]
        arguments = {
            name: value_of(_inner(text))
            for name, closed, text in parameters
            if name and closed and "\n" not in name
        }
        return [ToolCall(found[1], arguments)]


def _inner(text: str) -> str:
    """Return the text of a parameter without the line ends around it, and what closes it."""
    text = text.removeprefix("\n").rstrip()
    inner = text.removesuffix("</parameter>")
    return text if inner == text else inner.removesuffix("\n")


def value_of(text: str) -> Any:
    """Return the value of an argument that is written without quotes, in JSON or as in Python."""
    try:
        value = json.loads(text)
        return text if isinstance(value, str) else value
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a backslash that escapes nothing
            value = ast.literal_eval(text) if mendable(text) else text
        json.dumps(value)  # what JSON has no form for, such as a set, is a text
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return text if isinstance(value, str | tuple) else value
