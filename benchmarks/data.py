"""What preparing data costs: ours, the raw tokenizer's, TRL's and LLaMA-Factory's, side by side.

Long-tailed sets of about 200 tokens a row are made of the standard library's own sources, and a
byte-level BPE is trained on them. Each figure is that of a process of its own, its caches cold; the
raw tokenizer is timed in the same process, twice, when that is done.

    python benchmarks/data.py [--rows 20000] [--threads 1 2] [--large] [--llamafactory PYTHON]

TRL is measured where it is installed (`pip install trl`), and LLaMA-Factory where a Python that has
it is named (`benchmarks/llamafactory_data.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

VOCABULARY = 16_000
MEDIAN_WORDS, SPREAD = 45, 0.8
"""Of an answer: the median of its words, and the sigma of their logarithm."""
TIMED = 20_000
"""Rows that the raw tokenizer is timed on, at most."""
SIDES = ("luthier", "luthier, no fast encoder", *(["trl"] if find_spec("trl") else []))
OTHER = "llama-factory"


def corpus() -> list[str]:
    """Return the words of the standard library's sources, white space with them."""
    files = sorted(Path(os.__file__).parent.glob("*.py"))
    text = "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)
    return [word + " " for word in text.split(" ") if word]


def alpaca(words: list[str], rows: int) -> Iterator[dict[str, Any]]:
    """Yield rows of an instruction and a long-tailed answer."""
    chance = random.Random(1)  # noqa: S311
    for _ in range(rows):
        yield {"instruction": said(words, chance, 12), "output": said(words, chance, MEDIAN_WORDS)}


def sharegpt(words: list[str], rows: int) -> Iterator[dict[str, Any]]:
    """Yield conversations of one to five turns."""
    chance = random.Random(2)  # noqa: S311
    for _ in range(rows):
        turns = [
            {"from": who, "value": said(words, chance, size)}
            for _ in range(chance.randint(1, 5))
            for who, size in (("human", 8), ("gpt", 16))
        ]
        yield {"conversations": turns}


def said(words: list[str], chance: random.Random, median: int) -> str:
    """Return neighbouring words, a long-tailed number of them."""
    count = max(1, round(median * chance.lognormvariate(0, SPREAD)))
    start = chance.randrange(len(words) - 2000)
    return "".join(words[start : start + min(count, 2000)]).strip() or "nothing"


def model_folder(folder: Path) -> Path:
    """Return a folder with a tiny model, its tokenizer a byte-level BPE of the corpus."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=tokens, initial_alphabet=alphabet
    )
    made.train_from_iterator(corpus(), trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, eos_token=tokens[0])
    tokenizer.save_pretrained(folder)
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    config = LlamaConfig(**shape, num_attention_heads=1, vocab_size=VOCABULARY)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def messages_of(row: dict[str, Any]) -> list[dict[str, str]]:
    """Return a row of either set as messages."""
    if "instruction" in row:
        pair = (("user", row["instruction"]), ("assistant", row["output"]))
        return [{"role": role, "content": text} for role, text in pair]
    roles = {"human": "user", "gpt": "assistant"}
    return [{"role": roles[t["from"]], "content": t["value"]} for t in row["conversations"]]


def seconds(work: Callable[[], Any]) -> float:
    """Return the time that something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def rendered(data: Path) -> list[str]:
    """Return the texts of the first rows, as all sides encode them."""
    from luthier.core.templates import load_template

    template = load_template("chatml")
    with data.open(encoding="utf-8") as lines:
        return [
            template.render(messages_of(json.loads(line)), training=True).text
            for line in islice(lines, TIMED)
        ]


# --- one side, in a process of its own -------------------------------------------------------


def measured(side: str, data: Path, kind: str, model: Path) -> dict[str, float]:
    """Return the figures of one side: seconds, those of the raw tokenizer, tokens, peak memory."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    work = {"trl": by_trl}.get(side, by_luthier)(side, data, kind, model, tokenizer)
    spent = seconds(work)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    texts = rendered(data)
    backend = tokenizer.backend_tokenizer
    tokens = 0

    def raw() -> None:
        nonlocal tokens
        tokens = 0
        for start in range(0, len(texts), 1000):
            tokens += sum(len(one.ids) for one in backend.encode_batch(texts[start : start + 1000]))

    return {
        "seconds": spent, "raw": (seconds(raw) + seconds(raw)) / 2, "tokens": tokens,
        "peak_mib": peak / 1024, "child_mib": largest / 1024,
    }  # fmt: skip


def by_luthier(side: str, data: Path, kind: str, model: Path, _: Any) -> Callable[[], Any]:
    """Return what prepares with luthier: reads, aligns, renders, encodes, masks, writes."""
    import datasets  # noqa: F401 - imported before, as TRL's side has it

    from luthier.core import check
    from luthier.core.data.preparation import prepare
    from luthier.core.model.opening import locate, model_spec
    from luthier.core.templates import tokenizing
    from luthier.core.wiring import manager_of

    if side != SIDES[0]:
        tokenizing.MANY_CHARACTERS = sys.maxsize
    run = check({
        "model": {"path": str(model)}, "data": [{"path": str(data), "format": kind}],
        "template": "chatml", "encoding": {"max_length": 100_000},
    })  # fmt: skip
    located = locate(model_spec(run, training=True))
    if side == SIDES[0]:
        _know_encoder(located)
    return lambda: prepare(run, located, manager_of(run.selected))


def _know_encoder(located: Any) -> None:
    """Have the fast encoder proved before anything is timed: that is done once for a tokenizer."""
    from luthier.core.templates.bytepairs import fast
    from luthier.core.templates.tokenizing import text_encoder

    encoder = text_encoder(located.tokenizer, located.template.all_special_tokens()).encoders[0]
    spent = seconds(lambda: fast(encoder._tokenizer))  # noqa: SLF001 - what is proved is this one
    print(f"the proof took {spent:.1f} s", file=sys.stderr)


def by_trl(_: str, data: Path, __: str, model: Path, tokenizer: Any) -> Callable[[], Any]:
    """Return what prepares with TRL: an SFTTrainer's own preparation, its caches cold."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    from luthier.core.templates import load_template

    tokenizer.chat_template = load_template("chatml").jinja()
    loaded = AutoModelForCausalLM.from_pretrained(model)
    settings = SFTConfig(
        output_dir=tempfile.mkdtemp(), max_length=None, assistant_only_loss=True,
        use_cpu=True, report_to="none", bf16=False,
    )  # fmt: skip

    def work() -> None:
        lines = data.read_text(encoding="utf-8").splitlines()
        rows = Dataset.from_list([{"messages": messages_of(json.loads(line))} for line in lines])
        SFTTrainer(loaded, settings, train_dataset=rows, processing_class=tokenizer)

    return work


# --- all sides ------------------------------------------------------------------------------


def told(
    side: str, data: Path, kind: str, model: Path, threads: int, python: str = ""
) -> dict[str, Any]:
    """Return one side's figures, of a process with so many threads, its caches cold."""
    cache = Path(tempfile.mkdtemp(dir=model.parent))
    environment = {
        **os.environ, "RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads),
        "LUTHIER_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "HF_HOME": str(cache / "hf"),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }  # fmt: skip
    command = [sys.executable, __file__, "--side", side, str(data), kind, str(model)]
    if side == OTHER:
        texts = cache / "texts.json"
        texts.write_text(json.dumps(rendered(data)), encoding="utf-8")
        script = Path(__file__).with_name("llamafactory_data.py")
        command = [python, str(script), str(data), kind, str(model), str(texts), str(threads)]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if out.returncode:
        raise SystemExit(out.stderr[-2000:])
    for line in out.stderr.splitlines():
        if line.startswith("the proof"):
            print(line, file=sys.stderr)
    found: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print a table for each number of threads."""
    options = argparse.ArgumentParser()
    options.add_argument("--side", nargs=4)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options.add_argument("--llamafactory", metavar="PYTHON", default="")
    options.add_argument("--large", action="store_true", help="ten times the rows, for the memory")
    given = options.parse_args()
    if given.side:
        side, data, kind, model = given.side
        print(json.dumps(measured(side, Path(data), kind, Path(model))))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, words = model_folder(folder / "model"), corpus()
        sets = {
            "alpaca": (alpaca, given.rows * (10 if given.large else 1)),
            "sharegpt": (sharegpt, given.rows // 2),
        }
        for kind, (rows, count) in sets.items():
            with (folder / f"{kind}.jsonl").open("w", encoding="utf-8") as out:
                out.writelines(json.dumps(row) + "\n" for row in rows(words, count))
        if given.large:
            _print_memory(folder, model, words, given)
            return
        for threads in given.threads:
            for kind, (_, count) in sets.items():
                _print_table(folder, kind, count, model, threads, given.llamafactory)


def _print_table(
    folder: Path, kind: str, count: int, model: Path, threads: int, python: str
) -> None:
    print(f"\n{count:,} {kind} rows, {threads} thread(s)")
    print(f"| {'side':<26} | tokens/s | of raw | seconds | peak MiB | of a child |")
    for side in (*SIDES, OTHER) if python else SIDES:
        one = told(side, folder / f"{kind}.jsonl", kind, model, threads, python)
        print(
            f"| {side:<26} | {one['tokens'] / one['seconds']:>8,.0f} "
            f"| {one['raw'] / one['seconds']:.2f} | {one['seconds']:.1f} | {one['peak_mib']:.0f} "
            f"| {one['child_mib']:.0f} |"
        )
        print(f"| {'  raw encode_batch':<26} | {one['tokens'] / one['raw']:>8,.0f} | 1.00 "
              f"| {one['raw']:.1f} | | |")  # fmt: skip


def _print_memory(folder: Path, model: Path, words: list[str], given: Any) -> None:
    few = folder / "few.jsonl"
    with few.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in alpaca(words, given.rows))
    for data, rows in ((few, given.rows), (folder / "alpaca.jsonl", 10 * given.rows)):
        one = told(SIDES[0], data, "alpaca", model, given.threads[0])
        print(
            f"{rows:,} rows: peak {one['peak_mib']:.0f} MiB, of the largest other process "
            f"{one['child_mib']:.0f} MiB, {one['seconds']:.1f} s"
        )


if __name__ == "__main__":
    main()
