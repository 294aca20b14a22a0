"""GLM-4.5: role tokens on lines of their own, thoughts before each answer, tools in XML.

Source: the chat template of zai-org/GLM-4.5 (https://huggingface.co/zai-org/GLM-4.5).
"""

from luthier.core.templates import ChatTemplate, Reader, Thinking
from luthier.templates.shared.glm import ROLES, STOPS, declared, keyed, system


class _Template(ChatTemplate):
    """A template whose answers begin on a line of their own, whether they think or not."""

    def reader(self, *, prompt: str | None = None) -> Reader:  # noqa: ARG002 - see above
        """Return what reads an answer piece by piece; the prompt never begins its thoughts."""
        return Reader(self.tools, self.thinking, around=("\n", ""), prompted=False)


_QUIET = "enable_thinking is defined and not enable_thinking"

TEMPLATE = _Template(
    special_tokens=("[gMASK]", "<sop>", *ROLES),
    eos_token="<|endoftext|>",
    stops=STOPS,
    begin="[gMASK]<sop>" + declared("\n"),
    system=system("\n"),
    user=(
        "<|user|>\n{{ content }}"
        f"{{% if {_QUIET} and not content.endswith('/nothink') %}}/nothink{{% endif %}}"
    ),
    strip=frozenset({"assistant"}),
    thinking=Thinking(kept="after-question"),
    # the prompt holds empty thoughts where none are asked for, so they are not the answer's either
    answer_prefix=(
        "<|assistant|>{% set thoughts = thinking.strip() if loop.index0 > last_question else '' %}"
        f"{{% set quiet = {_QUIET} and not thoughts %}}"
        "{% if quiet %}\n<think></think>{% endif %}"
    ),
    answer=(
        "{% if not quiet %}\n<think>{{ thoughts }}</think>{% endif %}"
        "{% if content.strip() %}\n{{ content.strip() }}{% endif %}"
    ),
    prompt=f"<|assistant|>{{% if {_QUIET} %}}\n<think></think>{{% endif %}}",
    options={"enable_thinking": None},
    tools=keyed("\n"),
)
