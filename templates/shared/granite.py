"""What Granite's versions share: the default system prompt of 3.1 to 3.3, tools of 3 and of 4.

Source: the chat templates of ibm-granite/granite-3.1-8b-instruct
(https://huggingface.co/ibm-granite/granite-3.1-8b-instruct) and its successors.
"""

from luthier.core.templates import ToolStyle
from luthier.templates.shared.hermes import HERMES

_FACTS = (
    " the response to the user's input by strictly aligning with the facts in the provided "
    "documents. If the information needed to answer the question is not available in the "
    "documents, inform the user that the question cannot be answered based on the available data."
)

_REASONING = (
    "\nRespond to every user query in a comprehensive and detailed way. You can write down your "
    "thoughts and reasoning process before responding. In the thought process, engage in a "
    "comprehensive cycle of analysis, summarization, exploration, reassessment, reflection, "
    "backtracing, and iteration to develop well-considered thinking process. In the response "
    "section, based on various attempts, explorations, and reflections from the thoughts section, "
    "systematically present the final solution that you deem correct. The response should "
    "summarize the thought process. Write your thoughts "
)

NUMBERED = (
    "<|start_of_role|>documents<|end_of_role|>{% for document in documents %}"
    "Document {{ loop.index0 }}\n{{ document['text'] }}{% if not loop.last %}\n\n{% endif %}"
    "{% endfor %}<|end_of_text|>\n"
)

NAMED = (
    "{% for document in documents %}"
    '<|start_of_role|>document {"document_id": "{{ document[\'doc_id\'] }}"}<|end_of_role|>\n'
    "{{ document['text'] }}<|end_of_text|>\n{% endfor %}"
)


def opening(
    tools: str = (
        " You are a helpful AI assistant with access to the following tools. When a tool is "
        "required to answer the user's query, respond with"
    ),
    between: str = "\n\n",
    role: str = "tools",
    documents: str = NUMBERED,
    thoughts: str = "",
) -> str:
    """Return the slot of a system message, with what follows the first one.

    Args:
        tools: what tells of the tools where the conversation has no system prompt.
        between: what parts that from the instructions for documents.
        role: the role whose turn lists the tools.
        documents: the turns of the documents.
        thoughts: where to write thoughts, for a model that can be told to think.
    """
    # a system prompt of the user's replaces all instructions; tools and documents stay
    return (
        "<|start_of_role|>system<|end_of_role|>"
        "{% if loop is defined or messages[0]['role'] == 'system' %}{{ content }}{% else %}"
        "Knowledge Cutoff Date: April 2024.\nToday's Date: {{ strftime_now('%B %d, %Y') }}.\n"
        "You are Granite, developed by IBM."
        "{% if tools %}" + tools + " <|tool_call|> followed by a JSON list of tools used. "
        "If a tool does not exist in the provided list of tools, notify the user that you do not "
        "have the ability to fulfill the request."
        "{% if documents %}" + between + "Write" + _FACTS + "{% endif %}"
        "{% elif documents %} Write" + _FACTS + "{% else %} You are a helpful AI assistant."
        + ("{% if thinking %}" + _REASONING + thoughts + "{% endif %}" if thoughts else "")
        + "{% endif %}{% endif %}<|end_of_text|>\n"
        "{% if loop is not defined %}"
        "{% if tools %}<|start_of_role|>" + role + "<|end_of_role|>"
        "{{ tools | tojson(indent=4) }}<|end_of_text|>\n{% endif %}"
        "{% if documents %}" + documents + "{% endif %}{% endif %}"
    )  # fmt: skip


def listed(role: str) -> ToolStyle:
    """Return the tools of Granite 3, whose calls are a JSON list and whose results have a role.

    The authors' texts drop calls in OpenAI's form; they are written as the model writes them.
    """
    return ToolStyle(
        definitions="{{ content }}",
        calls=(
            "<|tool_call|>[{% for call in calls %}{% if not loop.first %}, {% endif %}"
            '{"name": "{{ call.function.name }}", '
            '"arguments": {{ call.function.arguments | tojson }}}{% endfor %}]'
        ),
        result="<|start_of_role|>" + role + "<|end_of_role|>{{ content }}<|end_of_text|>\n",
        open="<|tool_call|>",
    )


TAGGED = ToolStyle(
    definitions=(
        "{% if messages[0]['role'] == 'system' %}{{ content }}\n\n{% endif %}"
        "You are a helpful assistant with access to the following tools. "
        "You may call one or more tools to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
        "{% for tool in tools %}\n{{ tool | tojson }}{% endfor %}\n</tools>\n\n"
        "For each tool call, return a json object with function name and arguments within "
        "<tool_call></tool_call> XML tags:\n<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>. '
        "If a tool does not exist in the provided list of tools, notify the user that you do not "
        "have the ability to fulfill the request."
    ),
    calls=HERMES.calls,
    result=(
        "{% if first %}<|start_of_role|>user<|end_of_role|>{% endif %}"
        "\n<tool_response>\n{{ content }}\n</tool_response>"
        "{% if last %}<|end_of_text|>\n{% endif %}"
    ),
    open=HERMES.open,
    close=HERMES.close,
)

# what follows the tools in a system prompt of version 4
DOCUMENTS = (
    "{% if tools or messages[0]['role'] == 'system' %}\n\n{% endif %}"
    "You are a helpful assistant with access to the following documents. "
    "You may use one or more documents to assist with the user query.\n\n"
    "You are given a list of documents within <documents></documents> XML tags:\n<documents>"
    "{% for document in documents %}\n{{ document | tojson }}{% endfor %}\n</documents>\n\n"
    "Write" + _FACTS
)
