"""The tables of docs/compatibility.md, as the plugins' rules and the record of runs have them.

`python -m tests.sweep.page` writes them anew; a test tells where they are not what they should be.
"""

import contextlib
import io
import re

from luthier.core.device import KNOWN
from luthier.core.matrix import Matrix
from luthier.plugins.commands.matrix import command
from luthier.registry import Catalogue
from tests.sweep.records import REPOSITORY

PAGE = REPOSITORY / "docs" / "compatibility.md"
DEVICE = "h100"
COLUMNS = {
    "freeze-tuning": "tuners/freeze",
    "GaLore": "optimizers/galore",
    "LoRA": "tuners/lora",
    "DoRA": "tuners/dora",
}
ROWS = {
    "mixed precision, bfloat16": "precisions/mixed bfloat16",
    "mixed precision, float16": "precisions/mixed float16",
    "checkpointing": "patches/gradient-checkpointing",
    "flash attention": "patches/flash-attention",
    "S² attention": "patches/s2-attention",
    "quantization, `bnb`": "quantizers/bnb",
    "quantization, `gptq`": "quantizers/gptq",
    "quantization, `awq`": "quantizers/awq",
    "quantization, `aqlm`": "quantizers/aqlm",
    "Unsloth": "tuners/unsloth",
}
"""The paper's Table 1, its rows of precision and quantization told apart."""


def table_1():
    """Return the paper's table in Markdown, each cell a verdict."""
    matrix = Matrix(Catalogue.installed(), KNOWN[DEVICE])
    lines = [f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for label, row in ROWS.items():
        found = (matrix.verdict(matrix.part(row), matrix.part(one)) for one in COLUMNS.values())
        cells = ("no" if one.state == "refused" else "yes" for one in found)
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def all_pairs():
    """Return what `luthier matrix` prints, as a block of Markdown."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        command(device=DEVICE)
    return f"```\n{said.getvalue().rstrip()}\n```"


def rendered(text):
    """Return the page with its tables made anew, each between two marks."""
    for name, table in {"table 1": table_1(), "all pairs": all_pairs()}.items():
        between = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
        text = between.sub(lambda marks, table=table: f"{marks[1]}{table}{marks[2]}", text)
    return text


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
