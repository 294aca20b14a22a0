"""The tool style of Hermes, which Qwen and many others took over: JSON between <tool_call> tags.

Source: the function calling format of NousResearch (https://github.com/NousResearch/Hermes-Function-Calling),
as Qwen2.5's chat template words it (https://huggingface.co/Qwen/Qwen2.5-7B-Instruct).
"""

from luthier.core.templates import ToolStyle

HERMES = ToolStyle(
    definitions=(
        "{{ content }}{% if content or messages[0]['role'] == 'system' %}\n\n{% endif %}"
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
        "{% for tool in tools %}\n{{ tool | tojson }}{% endfor %}\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments within "
        "<tool_call></tool_call> XML tags:\n<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
    ),
    calls=(
        "{% for call in calls %}{% if content or not loop.first %}\n{% endif %}"
        '<tool_call>\n{"name": "{{ call.function.name }}", '
        '"arguments": {{ call.function.arguments | tojson }}}\n</tool_call>{% endfor %}'
    ),
    result=(
        "{% if first %}<|im_start|>user{% endif %}"
        "\n<tool_response>\n{{ content }}\n</tool_response>"
        "{% if last %}<|im_end|>\n{% endif %}"
    ),
    open="<tool_call>",
    close="</tool_call>",
)
