"""The tool style of invocations: a block of calls, their parameters between tags with a name.

Source: the chat template of MiniMaxAI/MiniMax-M2 (https://huggingface.co/MiniMaxAI/MiniMax-M2), and
the encoding code of deepseek-ai/DeepSeek-V3.2 (https://huggingface.co/deepseek-ai/DeepSeek-V3.2).
"""

import re
from typing import Any

from luthier.core.templates import ToolCall, ToolStyle
from luthier.core.templates.tools import loosely
from luthier.templates.shared.xml_tools import value_of

_BEGINNING = re.compile(
    r'\W{1,4}name\W{0,4}?="?([^">\n]+)"?(?:\s+string="?(\w+)"?)?\s*>', re.DOTALL
)


class Invocations(ToolStyle):
    """A block of one call or several, each an `invoke` tag around `parameter` tags."""

    mark: str = ""
    """What stands before the names of the tags."""

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the calls in what stands between `open` and `close`."""
        # a call begins with its tag or after another's end, so either of the two may be damaged
        parts = re.split(rf"</?{self.mark}invoke\b", body)
        calls = [self._call(part) for part in parts if re.search(r'["=]', part)]
        return [call for call in calls if call] or None

    def _call(self, text: str) -> ToolCall | None:
        # a parameter that is not closed ends where the next one begins
        tag, end = f"<{self.mark}parameter", f"</{self.mark}parameter>"
        head, *parts = text.split(tag)
        found = [(_BEGINNING.match(part, 0, 300), part.rstrip()) for part in parts]
        arguments = {
            begun[1]: _value(part[begun.end() :].removesuffix(end), begun[2] or "")
            for begun, part in found
            if begun
        }
        head = head.partition("</")[0]
        named = re.match(r'\s+name="([^"\n]+)"', head)
        words = re.findall(r"[\w.-]+", head)
        if not named and not words:
            return None
        return ToolCall(named[1] if named else words[-1], arguments)


def _value(text: str, string: str) -> Any:
    """Return the value of a parameter, which may say whether it is a string."""
    if string == "true":
        return text
    return loosely(text) if string else value_of(text)
