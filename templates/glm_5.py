"""GLM-5: the format of GLM-4.7, with empty thoughts where an answer has none but may think.

Source: the chat template of zai-org/GLM-5.1 (https://huggingface.co/zai-org/GLM-5.1).
"""

from luthier.templates.glm_4_7 import KEEPS
from luthier.templates.glm_4_7 import TEMPLATE as GLM_4_7
from luthier.templates.shared.glm import declared

# what of a tool is for the server alone is left out
_TOOL = (
    "{% set tool = tool.function or tool %}{% if not tool.defer_loading %}"
    "{{ dict(tool.items() | rejectattr(0, 'in', ['defer_loading', 'strict'])) | tojson }}\n"
    "{% endif %}"
)

# whether an answer to this question has thoughts: the others have empty ones then
_THINKS = (
    "{% set turn.thinks, turn.over = false, false %}{% for later in chat[loop.index:] %}"
    "{% if later['role'] == 'user' %}{% set turn.over = true %}"
    "{% elif later['reasoning_content'] is string and not turn.over %}"
    "{% set turn.thinks = true %}{% endif %}{% endfor %}"
)

# the authors leave the white space of thoughts as it is
_PREFIX = (
    "<|assistant|>"
    "{% set said, thoughts = message['content'] or '', message['reasoning_content'] %}"
    "{% if thoughts is not string and '</think>' in said %}"
    "{% set thoughts = said.split('</think>')[0].split('<think>')[-1] %}"
    "{% set said = said.split('</think>')[-1] %}"
    "{% elif thoughts is not string and (turn.thinks if loop.index0 < last_question"
    " else enable_thinking is not defined or enable_thinking) %}"
    "{% set thoughts = '' %}{% endif %}"
    f"{{% set thinks = thoughts is string and {KEEPS} %}}"
    "{% if thinks %}<think>{% else %}</think>{% endif %}"
)

TEMPLATE = GLM_4_7.derived(
    begin="[gMASK]<sop>{% set turn = namespace(thinks=false, over=false) %}" + declared("", _TOOL),
    user=f"{_THINKS}<|user|>{{{{ content }}}}",
    answer_prefix=_PREFIX,
    answer="{% if thinks %}{{ thoughts }}</think>{% endif %}{{ said.strip() }}",
)
