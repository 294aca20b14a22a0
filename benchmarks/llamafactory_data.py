"""LLaMA-Factory's side of `benchmarks/data.py`, run by the Python that has it.

It wants other versions of transformers and datasets than ours, so an environment of its own:

    python -m venv OTHER && OTHER/bin/pip install llamafactory
    python benchmarks/data.py --llamafactory OTHER/bin/python
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

COLUMNS = {
    "alpaca": {"prompt": "instruction", "response": "output"},
    "sharegpt": {"messages": "conversations"},
}


def main() -> None:
    """Print the figures of one preparation: seconds, those of the raw tokenizer, tokens, memory."""
    data, kind, model, texts, threads = sys.argv[1:]
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    folder = Path(tempfile.mkdtemp())
    entry = {"file_name": data, "formatting": kind, "columns": COLUMNS[kind]}
    (folder / "dataset_info.json").write_text(json.dumps({"rows": entry}))
    model_args, data_args, training_args, _, _ = get_train_args(
        {
            "stage": "sft", "do_train": True, "finetuning_type": "full",
            "model_name_or_path": model, "dataset_dir": str(folder), "dataset": "rows",
            "template": "chatml", "cutoff_len": 100_000, "overwrite_cache": True,
            "preprocessing_num_workers": int(threads), "output_dir": str(folder / "out"),
            "report_to": "none", "use_cpu": True,
        }
    )  # fmt: skip
    tokenizers = load_tokenizer(model_args)
    backend = tokenizers["tokenizer"].backend_tokenizer
    template = get_template_and_fix_tokenizer(tokenizers["tokenizer"], data_args)
    began = time.perf_counter()
    get_dataset(template, model_args, data_args, training_args, stage="sft", **tokenizers)
    spent = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    rendered = json.loads(Path(texts).read_text(encoding="utf-8"))
    (first, tokens), (second, _) = _raw(backend, rendered), _raw(backend, rendered)
    figures: dict[str, Any] = {
        "seconds": spent, "raw": (first + second) / 2, "tokens": tokens,
        "peak_mib": peak / 1024, "child_mib": largest / 1024,
    }  # fmt: skip
    print(json.dumps(figures))
    sys.stdout.flush()
    os._exit(0)  # what it began in the background does not matter here


def _raw(backend: Any, texts: list[str]) -> tuple[float, int]:
    """Return the seconds that the tokenizer takes for all texts, and how many tokens they are."""
    began, tokens = time.perf_counter(), 0
    for start in range(0, len(texts), 1000):
        tokens += sum(len(one.ids) for one in backend.encode_batch(texts[start : start + 1000]))
    return time.perf_counter() - began, tokens


if __name__ == "__main__":
    main()
