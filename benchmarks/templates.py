"""What rendering a conversation costs beside tokenizing its text, for every chat template.

Both are timed in turn on the same conversations, with a byte-level BPE of the tokenizers library;
each figure is the median of several rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from luthier.core import TemplateError
from luthier.core.templates import ChatTemplate, load_template
from luthier.plugins.families.tiny.making import tiny_model
from luthier.registry import Catalogue

ROUNDS = 5
REPEATED = 20
LIMIT = 0.15
TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": TEXT[:200],
        "parameters": {
            "type": "object",
            "properties": {"word": {"type": "string", "description": TEXT[200:300]}},
            "required": ["word"],
        },
    },
}


def conversation(turns: int, characters: int) -> list[dict[str, Any]]:
    """Return so many turns, each message of so many characters."""
    cut = [TEXT[n * characters : (n + 1) * characters] for n in range(2 * turns)]
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(cut)]


def with_a_call(chat: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a conversation whose first answer calls a tool before it is given."""
    call = {"name": "look_up", "arguments": {"word": "luthier"}}
    calls = [{"id": "abcdefgh1", "type": "function", "function": call}]
    return [
        chat[0],
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "name": "look_up", "tool_call_id": "abcdefgh1", "content": TEXT[:100]},
        *chat[1:],
    ]


def seconds(work: Callable[[], object]) -> float:
    """Return the time of one of many repetitions."""
    began = time.perf_counter()
    for _ in range(REPEATED):
        work()
    return (time.perf_counter() - began) / REPEATED


def ratio(
    template: ChatTemplate, chat: list[dict[str, Any]], tools: list[dict[str, Any]] | None
) -> tuple[float, float]:
    """Return the seconds of rendering, and their ratio to those of tokenizing."""
    text = template.render(chat, tools, training=True).text
    rendering, ratios = [], []
    for _ in range(ROUNDS):
        rendered = seconds(lambda: template.render(chat, tools, training=True))
        tokenized = seconds(lambda: TOKENIZER(text, add_special_tokens=False))
        rendering.append(rendered)
        ratios.append(rendered / tokenized)
    return statistics.median(rendering), statistics.median(ratios)


TOKENIZER = AutoTokenizer.from_pretrained(tiny_model())


def main() -> None:
    """Print the ratio of each template for each conversation, the highest first, and the median."""
    names = [e.name for e in Catalogue.installed() if e.kind == "templates"]
    short, long = conversation(2, 300), conversation(4, 600)
    chats = {
        "2 turns of 300 characters": (short, None),
        "4 turns of 600 characters": (long, None),
        "4 turns of 600 characters, with a tool, a call and its result": (
            with_a_call(long),
            [TOOL],
        ),
    }
    for title, (chat, tools) in chats.items():
        found, refused = [], 0
        for name in names:
            try:
                found.append((*ratio(load_template(name), chat, tools)[::-1], name))
            except TemplateError:
                refused += 1  # a format without tools
        found.sort(reverse=True)
        tokens = len(TOKENIZER(load_template("chatml").render(chat, tools).text)["input_ids"])
        print(f"{title} ({tokens} tokens as ChatML), {len(found)} templates, {refused} refuse it")
        print(f"  median ratio {statistics.median(r for r, _, _ in found):.3f}")
        print(f"  under {LIMIT}: {sum(r < LIMIT for r, _, _ in found)}")
        for value, spent, name in found[:8]:
            print(f"  {name:<24} {value:.3f}  {spent * 1e6:.0f} us")


if __name__ == "__main__":
    main()
