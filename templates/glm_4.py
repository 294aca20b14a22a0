"""GLM-4: role tokens, each content on a line of its own, calls in JSON under the tool's name.

Source: the chat template of THUDM/glm-4-9b-chat (https://huggingface.co/THUDM/glm-4-9b-chat).
Tools stand in a message, as its key `tools`; those that are given apart the authors leave out, and
calls in OpenAI's form too: they are written here as the model writes them.
"""

from luthier.core.templates import ToolStyle
from luthier.templates.shared.chatglm import ChatGLMTemplate, source
from luthier.templates.shared.glm import ROLES, STOPS

_HEAD = r"""
{{- '[gMASK]<sop>' -}}
{%- set line = '\n' -%}
{%- macro called(arguments) -%}{{- arguments | tojson -}}{%- endmacro -%}
{%- set chat = messages -%}
"""

_OWN = r"""
{%- if message['tools'] is defined -%}
    {{- '<|system|>\n你是一个名为 ChatGLM 的人工智能助手。你是基于智谱AI训练的语言模型 GLM-4 ' -}}
    {{- '模型开发的，你的任务是针对用户的问题和要求提供适当的答复和支持。\n\n# 可用工具' -}}
    {%- for tool in message['tools'] or [] if tool['type'] == 'function' -%}
        {{- '\n\n## ' -}}{{- tool.function.name -}}{{- '\n\n' -}}
        {{- tool.function | tojson(indent=4) -}}
        {{- '\n在调用上述函数时，请使用 Json 格式表示调用的参数。' -}}
    {%- endfor -%}
{%- endif -%}
"""

TEMPLATE = ChatGLMTemplate(
    special_tokens=("[gMASK]", "<sop>", *ROLES),
    eos_token="<|endoftext|>",
    stops=STOPS,
    source=source(_HEAD, own=_OWN, kept="content"),
    tools=ToolStyle(
        open="",
        stop="<|observation|>",
        at_start=True,
        pattern=r"\s*(?P<name>[^\s{]+)[^\w{]{0,3}\w?(?P<arguments>\{.*)",
    ),
)
