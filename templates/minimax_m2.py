"""MiniMax M2: a system turn always, thoughts that the prompt opens, and calls in XML.

Source: the chat template of MiniMaxAI/MiniMax-M2 (https://huggingface.co/MiniMaxAI/MiniMax-M2).
"""

from luthier.core.templates import ChatTemplate, Thinking
from luthier.templates.shared.invocations import Invocations

_SYSTEM = "{{ content or 'You are a helpful assistant.' }}"
_THINKS = "thinking and loop.index0 > last_question"

_TOOLS = Invocations(
    definitions=(
        _SYSTEM + "\n\n# Tools\nYou may call one or more tools to assist with the user query.\n"
        "Here are the tools available in JSONSchema format:\n\n<tools>\n"
        "{% for tool in tools %}<tool>{{ (tool.function or tool) | tojson }}</tool>\n{% endfor %}"
        "</tools>\n\n"
        "When making tool calls, use XML format to invoke tools and pass parameters:\n\n"
        '<minimax:tool_call>\n<invoke name="tool-name-1">\n'
        '<parameter name="param-key-1">param-value-1</parameter>\n'
        '<parameter name="param-key-2">param-value-2</parameter>\n...\n</invoke>\n'
        "</minimax:tool_call>"
    ),
    calls=(
        "\n<minimax:tool_call>\n{% for call in calls %}"
        '<invoke name="{{ call.function.name }}">\n'
        "{% for name, value in (call.function.arguments or {}).items() %}"
        '<parameter name="{{ name }}">{{ value if value is string else value | tojson }}'
        "</parameter>\n{% endfor %}</invoke>\n{% endfor %}</minimax:tool_call>"
    ),
    result=(
        "{% if first %}]~b]tool{% endif %}\n<response>{{ content }}</response>"
        "{% if last %}[e~[\n{% endif %}"
    ),
    open="<minimax:tool_call>",
    close="</minimax:tool_call>",
)

TEMPLATE = ChatTemplate(
    special_tokens=("]~b]",),
    bos_token="]~!b[",
    eos_token="[e~[",
    stops=("[e~[",),
    begin="{{ bos_token }}",
    default_system="",
    # a system message that is not the first is left out
    system=f"{{% if loop is not defined %}}]~b]system\n{_SYSTEM}[e~[\n{{% endif %}}",
    user="]~b]user\n{{ content }}[e~[\n",
    thinking=Thinking(prompted=True, kept="after-question"),
    # an answer without thoughts does not follow the prompt: the authors open them in the prompt
    answer_prefix=f"]~b]ai\n{{% if {_THINKS} %}}<think>\n{{% endif %}}",
    answer=(
        f"{{% if {_THINKS} %}}{{{{ thinking }}}}\n</think>\n\n{{% endif %}}"
        # a content that held thoughts loses the line ends around the rest
        "{{ content if content == message['content'] else content.rstrip('\n') }}"
    ),
    answer_end="[e~[",
    answer_suffix="\n",
    prompt="]~b]ai\n<think>\n",
    # the prompt opens thoughts in any case
    options={"thinking": None},
    tools=_TOOLS,
)
