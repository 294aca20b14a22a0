"""DeepSeek R1 0528: DeepSeek R1 0528 Qwen3 that is told of its tools.

Source: the chat template of deepseek-ai/DeepSeek-R1-0528
(https://huggingface.co/deepseek-ai/DeepSeek-R1-0528).
"""

from luthier.templates.deepseek_r1_0528_qwen3 import TEMPLATE as DEEPSEEK_R1_0528_QWEN3
from luthier.templates.shared.deepseek import FENCED

_TOOLS = FENCED.model_copy(
    update={
        "definitions": (
            "{{ content }}{% if content %}\n\n{% endif %}"
            "You are a helpful assistant with tool calling capabilities. "
            "When a tool call is needed, you MUST use the following format to issue the call:\n"
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>FUNCTION_NAME\n"
            '```json\n{"param1": "value1", "param2": "value2"}\n```'
            "<｜tool▁call▁end｜><｜tool▁calls▁end｜>\n\n"
            "Make sure the JSON is valid."
            "## Tools\n\n### Function\n\nYou have the following functions available:\n\n"
            "{% for tool in tools %}\n```json\n{{ tool | tojson }}\n```\n{% endfor %}"
        )
    }
)

# here a question that is the last message is followed by nothing, unless an answer is asked for
TEMPLATE = DEEPSEEK_R1_0528_QWEN3.derived(tools=_TOOLS, finish="")
