"""What rendering a conversation costs beside tokenizing its text, for every chat template.

Both are timed in turn on the same conversations, with a byte-level BPE of the tokenizers library;
each figure is the median of several rounds.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from transformers import AutoTokenizer

from luthier.core import TemplateError
from luthier.core.templates import ChatTemplate, load_template
from luthier.plugins.families.tiny.making import tiny_model
from luthier.registry import Catalogue

ROUNDS = 5
REPEATED = 20
LIMIT = 0.15
TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


def conversation(turns: int, characters: int) -> list[dict[str, str]]:
    """Return so many turns, each message of so many characters."""
    cut = [TEXT[n * characters : (n + 1) * characters] for n in range(2 * turns)]
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(cut)]


def seconds(work: Callable[[], object]) -> float:
    """Return the time of one of many repetitions."""
    began = time.perf_counter()
    for _ in range(REPEATED):
        work()
    return (time.perf_counter() - began) / REPEATED


def ratio(template: ChatTemplate, chat: list[dict[str, str]]) -> tuple[float, float]:
    """Return the seconds of rendering, and their ratio to those of tokenizing."""
    text = template.render(chat, training=True).text
    rendering, ratios = [], []
    for _ in range(ROUNDS):
        rendered = seconds(lambda: template.render(chat, training=True))
        tokenized = seconds(lambda: TOKENIZER(text, add_special_tokens=False))
        rendering.append(rendered)
        ratios.append(rendered / tokenized)
    return statistics.median(rendering), statistics.median(ratios)


TOKENIZER = AutoTokenizer.from_pretrained(tiny_model())


def main() -> None:
    """Print the ratio of each template for two lengths, the highest first, and their medians."""
    names = [e.name for e in Catalogue.installed() if e.kind == "templates"]
    lengths = {"2 turns of 300 characters": (2, 300), "4 turns of 600 characters": (4, 600)}
    for title, shape in lengths.items():
        chat = conversation(*shape)
        found = []
        for name in names:
            try:
                found.append((*ratio(load_template(name), chat)[::-1], name))
            except TemplateError as fault:
                print(f"{name}: {fault}", file=sys.stderr)
        found.sort(reverse=True)
        tokens = len(TOKENIZER(load_template("chatml").render(chat).text)["input_ids"])
        print(f"{title} ({tokens} tokens as ChatML), {len(found)} templates")
        print(f"  median ratio {statistics.median(r for r, _, _ in found):.3f}")
        print(f"  under {LIMIT}: {sum(r < LIMIT for r, _, _ in found)}")
        for value, spent, name in found[:8]:
            print(f"  {name:<24} {value:.3f}  {spent * 1e6:.0f} us")


if __name__ == "__main__":
    main()
