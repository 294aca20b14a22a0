"""Command R7B: Command R with a system turn always, and answers between tokens of their own.

Source: the default chat template of CohereForAI/c4ai-command-r7b-12-2024
(https://huggingface.co/CohereForAI/c4ai-command-r7b-12-2024).
"""

from luthier.templates.command_r import TEMPLATE as COMMAND_R
from luthier.templates.shared.cohere import ACTIONS

_REFUSAL = (
    "{{ raise_exception('this chat template writes answers alone, no tool calls and no results; "
    "leave them out, or write them as text') }}"
)

TEMPLATE = COMMAND_R.derived(
    special_tokens=(*COMMAND_R.special_tokens, "<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    default_system="",
    answer_prefix="<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>",
    answer_end="<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
    # the authors' default template tells of no tools, and its prompt has begun an answer
    tools=ACTIONS.model_copy(
        update={"definitions": "{{ content }}", "calls": _REFUSAL, "result": _REFUSAL}
    ),
    options={"thinking": None},
)
