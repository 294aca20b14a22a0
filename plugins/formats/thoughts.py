"""What formats share: thoughts that an answer's text begins with, `<think>...</think>`."""

from __future__ import annotations

from typing import Any

OPEN, CLOSE = "<think>", "</think>"
"""What most models that think write around their thoughts, and so what stands in data."""


def answer(content: str) -> dict[str, Any]:
    """Return an answer as a message, the thoughts that it begins with apart.

    The content as it was written is kept beside: of some chat templates it is what models write.
    Thoughts that begin or end anywhere else, or twice, are left where they are.
    """
    message = {"role": "assistant", "content": content}
    if CLOSE not in content:
        return message
    before, _, inner = content.partition(OPEN)
    thoughts, _, said = inner.partition(CLOSE)
    if before.strip() or not thoughts.strip() or OPEN in inner or CLOSE in said:
        return message
    return {
        **message,
        "content": said.lstrip("\n"),
        "reasoning_content": thoughts.strip("\n"),
        "written": content,
    }
