"""What goes together: the paper's Table 1; `check`, and runs, agree with every verdict."""

import json
from functools import cache
from pathlib import Path

import pytest

from luthier.core import LuthierError, Need, Plugin, Refusal, check, train
from luthier.core.device import KNOWN
from luthier.core.matrix import PRECISION, Matrix
from luthier.core.problems import BadRunFile
from luthier.core.runfile import choosing
from luthier.core.training import recording
from luthier.registry import Catalogue, Entry
from tests.sweep import page

GPU, CPU = KNOWN["h100"], KNOWN["cpu"]
TABLE_1 = {
    "precisions/mixed bfloat16": "ok ok ok ok",
    "precisions/mixed float16": "ok ok ok ok",
    "patches/gradient-checkpointing": "ok ok ok ok",
    "patches/flash-attention": "ok ok ok ok",
    "patches/s2-attention": "ok ok ok ok",
    "quantizers/bnb": "no no ok ok",
    "quantizers/gptq": "no no ok ok",
    "quantizers/awq": "no no ok ok",
    "quantizers/aqlm": "no no ok ok",
    "tuners/unsloth": "no no ok no",
}
"""The paper's, its columns freeze-tuning, GaLore, LoRA and DoRA."""


@cache
def matrix_on(device):
    return Matrix(Catalogue.installed(), device)


@cache
def verdicts_on(device):
    return list(matrix_on(device).verdicts())


def verdict(first, second, matrix=None):
    matrix = matrix or matrix_on(GPU)
    return matrix.verdict(matrix.part(first), matrix.part(second))


@pytest.mark.parametrize("row", TABLE_1)
def test_the_table_of_the_paper_is_in_it(row):
    assert row_of(row) == TABLE_1[row]


def test_the_tables_of_the_docs_are_as_they_are_computed():
    assert set(page.ROWS.values()) == TABLE_1.keys()
    text = page.PAGE.read_text()
    assert page.rendered(text) == text, "write it anew: python -m tests.sweep.page"


def row_of(row, matrix=None):
    found = [verdict(row, method, matrix).state for method in page.COLUMNS.values()]
    return " ".join("no" if state == "refused" else "ok" for state in found)


def rows_that_differ():
    matrix = Matrix(Catalogue.installed(), GPU)
    return {row for row, expected in TABLE_1.items() if row_of(row, matrix) != expected}


@pytest.mark.parametrize(
    ("kind", "name", "rule", "rows"),
    [
        ("quantizers", "bnb", "refuses", ["quantizers/bnb"]),
        ("quantizers", "gptq", "refuses", ["quantizers/gptq"]),
        ("quantizers", "awq", "refuses", ["quantizers/awq"]),
        ("quantizers", "aqlm", "refuses", ["quantizers/aqlm"]),
        ("tuners", "unsloth", "variant_of", ["tuners/unsloth"]),
        ("optimizers", "galore", "needs", ["quantizers/bnb", "tuners/unsloth"]),
    ],
)
def test_each_cross_of_the_table_hangs_on_a_rule_of_a_plugin(monkeypatch, kind, name, rule, rows):
    cls = Catalogue.installed().find(kind, name).load()
    monkeypatch.setattr(cls, rule, None if rule == "variant_of" else ())
    assert rows_that_differ() >= set(rows)


def test_what_a_pair_leaves_open_is_no_reason_against_it():
    found = verdict("optimizers/galore", "patches/neftune")
    assert (found.state, len(found.beside)) == ("allowed", 1)
    with_lora = verdict("galore", "lora")
    assert with_lora.state == "refused"
    assert "tuner: full" in with_lora.remedy


def test_what_one_of_two_needs_and_the_other_refuses_is_told_of_both():
    found = verdict("galore", "bnb")
    assert "whole matrices are trained" in found.reason
    assert "too coarse to be trained" in found.reason


def test_what_needs_a_gpu_is_allowed_and_says_so():
    found = verdict("paged-adamw", "full", matrix_on(CPU))
    assert found.state == "allowed"
    assert "GPU" in found.needs[0]


@pytest.mark.parametrize(
    ("name", "need"),
    [
        ("flash-attention", "flash attention runs on NVIDIA and AMD GPUs, and this is cpu"),
        ("fp8", "a model whose weights are stored so: quantizers/fp8 only opens such"),
        ("mxfp4", "a model whose weights are stored so: quantizers/mxfp4 only opens such"),
        ("mixed float16", "a GPU: mixed float16 has its gradients scaled"),
    ],
)
def test_what_is_not_here_is_told_with_each_pair_that_wants_it(name, need):
    assert need in verdict(name, "lora", matrix_on(CPU)).needs
    with_a_gpu = verdict(name, "lora").needs
    assert (need in with_a_gpu) == (name in {"fp8", "mxfp4"})


def test_a_precision_is_told_by_its_dtype_where_one_has_it():
    matrix = matrix_on(GPU)
    assert str(matrix.part("float16")) == "precisions/mixed float16"
    assert str(matrix.part("GaLore")) == "optimizers/galore"
    with pytest.raises(LuthierError, match="precisions/mixed bfloat16 or precisions/pure bfloat16"):
        matrix.part("bfloat16")


class Strange(Plugin):
    """A tuner that nobody knows."""

    traits = frozenset({"trains-base-weights"})
    refuses = (Refusal("rows-end-to-end", "it wants pads", "Leave that out"),)
    needs = (Need("quantized", "it wants few bits", "Choose a quantizer"),)


def test_a_tuner_of_a_stranger_is_judged_by_its_traits():
    entry = Entry("tuners", "strange", "strange:Strange", "strange", "1.0", Strange)
    matrix = Matrix(Catalogue.installed().adding([entry]), GPU)
    assert "it wants pads" in verdict("strange", "padding-free", matrix).reason
    assert "too coarse" in verdict("strange", "bnb", matrix).reason
    assert "it wants few bits" in verdict("strange", "muon", matrix).reason


# --- it says what `check` says ---------------------------------------------------------------


def run_of(small_run, one, matrix):
    """Return a run file with both of a pair, and what a default does not do for."""
    keys = {"tuners": "tuner", "optimizers": "optimizer", "stages": "stage",
            "quantizers": "quantizer", "patches": "patches"}  # fmt: skip
    contents = small_run(tuner="lora", training={"max_steps": 2, "batch_size": 2})
    for name in dict.fromkeys((*one.beside, one.first, one.second)):
        if name.startswith("rewards/"):
            contents["rewards"] = [{"name": "contains", "text": "e"}]
            continue
        part = matrix.part(name)
        if part.kind == PRECISION:
            contents["model"] |= {"dtype": part.circumstance.dtype}
            contents["training"] |= {"precision": part.circumstance.mode}
            continue
        named = {"name": part.name, **OPTIONS.get(name, {})}
        if part.kind == "patches":
            contents.setdefault("patches", []).append(named)
        else:
            contents[keys[part.kind]] = named
    if contents.get("stage", {}).get("name") == "pt":
        contents["data"] = [{**contents["data"][0], "format": {"name": "text", "column": "output"}}]
    if contents.get("stage", {}).get("name") in {"dpo", "rm"}:
        pairs = {"name": "preference", "chosen": "output", "rejected": "instruction"}
        contents["data"] = [{**contents["data"][0], "format": pairs}]
    if contents.get("stage", {}).get("name") == "kto":
        judged = Path(small_run()["output"]).with_name("judged.jsonl")
        rows = [{"prompt": "Who?", "completion": f"I, {n}.", "label": n > 2} for n in range(6)]
        judged.write_text("".join(json.dumps(row) + "\n" for row in rows))
        contents["data"] = [{"path": str(judged), "format": "kto"}]
    return contents


OPTIONS = {
    "optimizers/galore": {"rank": 4}, "optimizers/apollo": {"rank": 4},
    "optimizers/badam": {"update_interval": 1},
    "tuners/bitfit": {"norms": True},
    "tuners/adalora": {"rank": 2, "initial_rank": 4}, "tuners/vera": {"rank": 16},
    "tuners/boft": {"targets": "mlp-down", "layers": [-1]}, "tuners/prompt-tuning": {"tokens": 4},
    "stages/ppo": {"max_new_tokens": 4}, "stages/grpo": {"max_new_tokens": 4, "answers": 2},
    "stages/rloo": {"max_new_tokens": 4, "answers": 2},
    "patches/rope-scaling": {"factor": 2.0}, "patches/s2-attention": {"tokens": 16},
}  # fmt: skip


def test_what_it_refuses_check_refuses_for_the_same_reason(small_run, monkeypatch):
    monkeypatch.setattr(choosing, "missing_packages", lambda _: [])
    matrix = matrix_on(GPU)
    refused = [one for one in verdicts_on(GPU) if one.state == "refused"]
    assert len(refused) > 100
    for one in refused:
        device = KNOWN["v100"] if "precisions/mixed float16" in one else GPU
        with pytest.raises(BadRunFile) as fault:
            check(run_of(small_run, one, matrix), device=device)
        told = {problem.problem for problem in fault.value.problems}
        assert any(problem in one.reason for problem in told), (one, told)


def possible():
    """Return the names of the pairs that can be run here."""
    return [
        f"{one.first}+{one.second}"
        for one in verdicts_on(CPU)
        if one.state != "refused" and not one.needs
    ]


@pytest.mark.sweep
@pytest.mark.parametrize("pair", possible())
def test_a_pair_that_is_allowed_trains(pair, small_run, monkeypatch):
    monkeypatch.setattr(recording, "plot_loss", lambda folder: None)  # it takes as long as a run
    matrix = matrix_on(CPU)
    one = matrix.verdict(*map(matrix.part, pair.split("+")))
    folder = train(run_of(small_run, one, matrix))
    losses = [json.loads(line).get("loss") for line in folder.metrics.read_text().splitlines()]
    assert all(loss == loss and loss < 100 for loss in losses if loss is not None)  # noqa: PLR0124
