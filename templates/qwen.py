"""Qwen: ChatML with tools by ReAct, whose results stand within the answer.

Source: the code of Qwen/Qwen-7B-Chat (https://huggingface.co/Qwen/Qwen-7B-Chat), and for tools that
of the API of QwenLM/Qwen (https://github.com/QwenLM/Qwen/blob/main/openai_api.py).
"""

from collections.abc import Iterator

from luthier.core.templates import ChatTemplate, Event, Reader, TableSeven, ToolCall
from luthier.templates.chatml import TEMPLATE as CHATML

_FINAL = "Final Answer:"


class _Template(ChatTemplate):
    """A template whose answers may be preceded by a thought that leads to them."""

    def reader(self, *, prompt: str | None = None) -> Reader:  # noqa: ARG002 - no thoughts apart
        """Return what reads an answer piece by piece."""
        return _Steps(self.tools, None, prompted=False, around=("Thought: ", ""))


class _Steps(Reader):
    """Leaves out the thought before a final answer; that before a call is its content."""

    def _in_text(self, *, final: bool) -> Iterator[Event | None]:
        # after a result the prompt holds `Thought:`, and the answer begins with a space
        thought = self._buffer.startswith(("Thought:"[: len(self._buffer) or 1], " "))
        if self._at_start and thought:
            ends = [self._buffer.find(mark) for mark in ("\nAction:", _FINAL)]
            if max(ends) < 0 and not final:
                return
            if ends[1] >= 0 and not 0 <= ends[0] < ends[1]:
                after = self._buffer[ends[1] + len(_FINAL) :]
                if not after and not final:
                    return  # the space is yet to come
                self._buffer, self._before = after.removeprefix(" "), ""
                self._at_start = False
            elif not self._buffer.startswith("Thought:"):
                self._buffer = self._buffer.removeprefix(" ")
        yield from super()._in_text(final=final)


class _ReAct(TableSeven):
    """Calls by ReAct, each on two lines."""

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the calls of the rest of an answer, which may hold where its results begin."""
        return super().read(body.partition("\nObservation:")[0])


_STRIPPED = "{% if tools %}{% set content = content.lstrip('\n').rstrip() %}{% endif %}"

_TOOLS = (
    "Answer the following questions as best you can. You have access to the following APIs:\n\n"
    "{% for tool in tools %}{% set tool = tool.function or tool %}"
    "{{ tool.name }}: Call this tool to interact with the {{ tool.name }} API. What is the "
    "{{ tool.name }} API useful for? {{ tool.description or '' }} "
    "Parameters: {{ (tool.parameters or {}) | tojson }}\n\n{% endfor %}"
    "Use the following format:\n\nQuestion: the input question you must answer\n"
    "Thought: you should always think about what to do\n"
    "Action: the action to take, should be one of [{% for tool in tools %}"
    "{% if not loop.first %}, {% endif %}{{ (tool.function or tool).name }}{% endfor %}]\n"
    "Action Input: the input to the action\nObservation: the result of the action\n"
    "... (this Thought/Action/Action Input/Observation can be repeated zero or more times)\n"
    "Thought: I now know the final answer\n"
    "Final Answer: the final answer to the original input question\n\nBegin!\n\nQuestion: "
)

_ASKED_LAST = "not chat[loop.index:] | selectattr('role', 'equalto', 'user') | list"
_AFTER_RESULT = "not loop.first and loop.previtem['role'] == 'tool'"
_BEFORE_RESULT = "not loop.last and loop.nextitem['role'] == 'tool'"

TEMPLATE = _Template(
    special_tokens=CHATML.special_tokens,
    stops=("<|im_end|>", "<|endoftext|>", "\nObservation:"),
    default_system="You are a helpful assistant.",
    system=CHATML.system,
    # tools are told with the last question
    user=(
        f"{{% if {_AFTER_RESULT} %}}<|im_end|>\n{{% endif %}}<|im_start|>user\n{_STRIPPED}"
        f"{{% if tools and {_ASKED_LAST} %}}{_TOOLS}{{% endif %}}{{{{ content }}}}<|im_end|>\n"
    ),
    answer_prefix=(
        f"{{% set goes_on = {_AFTER_RESULT} %}}"
        "{% if goes_on %}\nThought:{% else %}<|im_start|>assistant\n{% endif %}"
    ),
    answer=(
        f"{_STRIPPED}{{% set said = content %}}{{% if message['tool_calls'] %}}"
        "{% set said = said if said.startswith('Thought:') else 'Thought: ' ~ said %}"
        "{% elif tools or goes_on %}{% set said = "
        "('Thought: I now know the final answer.\nFinal Answer: ' ~ said).rstrip() %}{% endif %}"
        "{{ said[8:] if goes_on else said }}"
    ),
    # an answer that calls ends in what its first result begins with
    answer_end=f"{{% if {_BEFORE_RESULT} %}}\nObservation:{{% else %}}<|im_end|>{{% endif %}}",
    answer_suffix=f"{{% if not ({_BEFORE_RESULT}) %}}\n{{% endif %}}",
    prompt=(
        "{% if messages and messages[-1]['role'] == 'tool' %}\nThought:"
        "{% else %}<|im_start|>assistant\n{% endif %}"
    ),
    tools=_ReAct(
        definitions="{{ content.lstrip('\n').rstrip() }}",
        calls=(
            "{% for call in calls %}\nAction: {{ call.function.name }}\n"
            "Action Input: {{ call.function.arguments | tojson }}{% endfor %}"
        ),
        result=("{% if not first %}\nObservation:{% endif %} {{ content.lstrip('\n').rstrip() }}"),
    ),
)
