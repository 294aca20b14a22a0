"""Ministral 3 Reasoning: Magistral's format with a system prompt that asks for thoughts.

Source: the chat template of mistralai/Ministral-3-14B-Reasoning-2512
(https://huggingface.co/mistralai/Ministral-3-14B-Reasoning-2512).
"""

from luthier.core.templates import Thinking
from luthier.templates.magistral import TEMPLATE as MAGISTRAL
from luthier.templates.shared.mistral import mistral

# the authors' template reads thoughts from parts of the content and leaves `reasoning_content`
# out; `keep_reasoning` writes it, as training on thoughts needs
_BEFORE = """\
{%- set reasoning = keep_reasoning is defined and keep_reasoning -%}
{%- set default_system -%}
{{- '# HOW YOU SHOULD THINK AND ANSWER\\n\\n' -}}
{{- 'First draft your thinking process (inner monologue) until you arrive at a response. ' -}}
{{- 'Format your response using Markdown, and use LaTeX for any mathematical equations. ' -}}
{{- 'Write both your thoughts and the response in the same language as the input.\\n\\n' -}}
{{- 'Your thinking process must follow the template below:' -}}
{{- '[THINK]Your thoughts or/and draft, like working through an exercise on scratch paper. ' -}}
{{- 'Be as casual and as long as you want until you are confident to generate the response ' -}}
{{- 'to the user.[/THINK]Here, provide a self-contained response.' -}}
{%- endset -%}
"""

TEMPLATE = mistral(13, before=_BEFORE).derived(
    special_tokens=MAGISTRAL.special_tokens,
    thinking=Thinking(open="[THINK]", close="[/THINK]", kept="none"),
    options={"thinking": None, "keep_reasoning": None},
)
