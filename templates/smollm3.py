"""SmolLM3: ChatML with the date and the way of thinking in a system prompt of its own.

Source: the chat template of HuggingFaceTB/SmolLM3-3B
(https://huggingface.co/HuggingFaceTB/SmolLM3-3B). It leaves out calls, which are written here as
its system prompt asks for them.
"""

from luthier.core.templates import Thinking
from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.hermes import HERMES

_ROLE = "You are a helpful AI assistant named SmolLM, trained by Hugging Face."

_TASK = (
    " Your role as an assistant involves thoroughly exploring questions through a systematic "
    "thinking process before providing the final precise and accurate solutions. This requires "
    "engaging in a comprehensive cycle of analysis, summarizing, exploration, reassessment, "
    "reflection, backtracking, and iteration to develop well-considered thinking process. Please "
    "structure your response into two main sections: Thought and Solution using the specified "
    "format: <think> Thought section </think> Solution section. In the Thought section, detail "
    "your reasoning process in steps. Each step should include detailed considerations such as "
    "analysing questions, summarizing relevant findings, brainstorming new ideas, verifying the "
    "accuracy of the current steps, refining any errors, and revisiting previous steps. In the "
    "Solution section, based on various attempts, explorations, and reflections from the Thought "
    "section, systematically present the final solution that you deem correct. The Solution "
    "section should be logical, accurate, and concise and detail necessary steps needed to reach "
    "the conclusion."
)

_BEGIN = (
    "{% set told = messages[0]['content'] or '' "
    "if messages and messages[0]['role'] == 'system' else '' %}"
    "{% set thinks = '/think' in told or enable_thinking is undefined or enable_thinking %}"
    "{% set thinks = thinks and '/no_think' not in told %}"
    "{% set told = told.replace('/no_think', '').replace('/think', '').rstrip() %}"
)

_TOOLS = (
    "{% if xml_tools or python_tools or tools %}### Tools\n\n"
    "{% if xml_tools or tools %}"
    "You may call one or more functions to assist with the user query.\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n\n<tools>\n"
    "{% for tool in xml_tools or tools %}{{ tool }}\n{% endfor %}</tools>\n\n"
    "For each function call, return a json object with function name and arguments within "
    "<tool_call></tool_call> XML tags:\n<tool_call>\n"
    '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>{% endif %}'
    "{% if python_tools %}"
    "When you send a message containing Python code between '<code>' and '</code>' tags, it will "
    "be executed in a stateful Jupyter notebook environment, and you will then be given the output "
    "to continued reasoning in an agentic loop.\n\n"
    "You can use the following tools in your python code like regular functions:\n<tools>\n"
    "{% for tool in python_tools %}{{ tool }}\n{% endfor %}</tools>\n\n"
    "The state persists between code executions: so variables that you define in one step are "
    "still available thereafter.{% endif %}\n\n<|im_end|>\n{% endif %}"
)

TEMPLATE = CHATML.derived(
    begin=_BEGIN,
    default_system="",
    # the authors leave out system messages after the first, and end this turn only after tools
    system=(
        "{% if loop is undefined %}<|im_start|>system\n"
        "{% if '/system_override' in told %}"
        "{{ told.replace('/system_override', '').rstrip() }}<|im_end|>\n"
        "{% else %}## Metadata\n\nKnowledge Cutoff Date: June 2025\n"
        "Today Date: {{ strftime_now('%d %B %Y') }}\n"
        "Reasoning Mode: {% if thinks %}/think{% else %}/no_think{% endif %}\n\n"
        "## Custom Instructions\n\n"
        f"{{% if told %}}{{{{ told }}}}{{% else %}}{_ROLE}{{% if thinks %}}{_TASK}{{% endif %}}"
        f"{{% endif %}}\n\n{_TOOLS}{{% endif %}}{{% endif %}}"
    ),
    thinking=Thinking(kept="none"),
    answer_prefix=(
        "<|im_start|>assistant\n{% if not thinks %}<think>\n\n</think>\n{% endif %}"
    ),
    # thoughts that stand in a content stay there
    answer="{{ (message['content'] or '').lstrip('\n') }}",
    prompt=(
        "<|im_start|>assistant\n{% if not thinks %}<think>\n\n</think>\n{% endif %}"
    ),
    options={
        "enable_thinking": None, "thinking": None, "xml_tools": None, "python_tools": None,
    },
    tools=HERMES.model_copy(
        update={
            "definitions": "{{ content }}",
            "result": "<|im_start|>user\n{{ content }}<|im_end|>\n",
        }
    ),
)  # fmt: skip
