"""What is tried with each way to hold frozen weights: an adapter beside it against a control."""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from luthier.core import check, load, train
from luthier.core.errors import BadModel
from luthier.core.model import saving
from luthier.core.plugin import install_line, missing_packages
from luthier.core.problems import BadRunFile
from luthier.core.run.folder import RunFolder
from luthier.core.run.merging import merge
from luthier.core.runfile import read_tree
from luthier.core.selection import plugin_of
from luthier.registry import Catalogue
from tests.plugins.quantizers.storing import GROUP
from tests.sweep.stored import Stored

SEEDS = (1, 2, 3)
BITS_TOLERANCE = 0.02
"""Relative, of the bits of a weight, scales and tables included."""
LOGIT_TOLERANCE = 1e-4
"""Of the run's model opened again, and of the merged one against base plus adapter."""
TRAINING = {"max_steps": 30, "batch_size": 4, "log_every": 1, "learning_rate": 1e-2}
FROZEN = {"max_steps": 1, "learning_rate": 1e-30}


class Case(NamedTuple):
    """A way to hold weights, and what a layer then takes."""

    quantizer: str
    """Its name."""
    bits: Callable[[int, int], float]
    """All bits of a layer of so many inputs and outputs, by what the format's page says."""
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed
    """The run file's, where it quantizes as it loads."""
    margin: float = 1.0
    """How much lower the loss on held-out rows is than the frozen control's, in nats a token."""
    reopened: float = LOGIT_TOLERANCE
    """The most that a logit may differ when the run is opened again."""
    refused: str = "weights that are held in few bits are too coarse to be trained"
    """Why the tuners `full` and `freeze` are refused."""


def _bnb4(inputs: int, outputs: int) -> float:
    # QLoRA, section 3: 8 bits for the scale, a float32 for 256 of these; their table and their mean
    blocks = inputs * outputs / 64
    return 4 * inputs * outputs + 8 * blocks + 32 * (-(-blocks // 256) + 16 + 256 + 1)


def _scaled(bits: int, group: int, scale: int) -> Callable[[int, int], float]:
    """Return the bits of a layer whose `group` weights share what takes `scale` bits."""
    return lambda inputs, outputs: inputs * outputs * (bits + scale / group)


def _by_output(inputs: int, outputs: int) -> float:
    return 8 * inputs * outputs + 32 * outputs


def _gptq(bits: int) -> Callable[[int, int], float]:
    # a float16 scale and a zero for each group, and the group of each input
    grouped = _scaled(bits, GROUP, 16 + bits)
    return lambda inputs, outputs: grouped(inputs, outputs) + 32 * inputs


def _aqlm(bits: int, held: int) -> Callable[[int, int], float]:
    # a code for 8 weights, a float32 scale for each output, a float32 codebook for each layer
    return lambda inputs, outputs: inputs * outputs * held / 8 + 32 * outputs + 32 * 8 * 2**bits


def _whole(inputs: int, outputs: int) -> float:
    return 32 * inputs * outputs


CASES = {
    "bnb-nf4": Case("bnb", _bnb4, {"bits": 4}),
    "bnb-8": Case("bnb", _by_output, {"bits": 8}),
    "hqq-4": Case("hqq", _scaled(4, 64, 64), {"bits": 4}),
    "torchao-int8": Case("torchao", _by_output, {"type": "int8"}),
    "torchao-float8": Case("torchao", _by_output, {"type": "float8"}),
    # what is trained is computed in float32, and what is served by a kernel of bfloat16
    "gptq-4": Case("gptq", _gptq(4), reopened=0.1),
    "awq-4": Case("awq", _scaled(4, GROUP, 16 + 4), reopened=0.1),
    "aqlm-8": Case("aqlm", _aqlm(8, 8)),
    "fp8": Case("fp8", _whole),
    "mxfp4": Case("mxfp4", _whole, margin=0.5, refused="the trained weights would be stored whole"),
}
"""What is tried; the names of stored models are those of `STORED` in `stored.py`."""


def needed(case: Case) -> str | None:
    """Return the command that installs what a case needs; None where it is here."""
    cls = plugin_of(Catalogue.installed().find("quantizers", case.quantizer))
    return install_line(cls) if missing_packages(cls) else None


def contents_of(name: str, model: Stored | None, folder: Path, **changes: Any) -> dict[str, Any]:
    """Return a run file that trains LoRA beside weights that are held so.

    Args:
        name: of the case.
        model: the stored model; None for the tiny one.
        folder: where `rows.jsonl` and the run are.
        changes: sections that differ.
    """
    case = CASES[name]
    quantizer = {"quantizer": {"name": case.quantizer, **case.options}} if model is None else {}
    return {
        "model": {"path": str(model.path) if model else "tiny"},
        "template": "chatml",
        "data": [{"path": str(folder / "rows.jsonl")}],
        "tuner": {"name": "lora", "rank": 8},
        "training": TRAINING,
        "checkpoints": {"every": 100},
        "output": str(folder / "run"),
        **quantizer,
        **changes,
    }


class Trained(NamedTuple):
    """What was seen of one seed."""

    frozen: float
    """The control's loss on held-out rows, in nats a token."""
    trained: float
    """That of the trained adapter."""
    run: RunFolder
    """The run that trained it."""
    logits: torch.Tensor
    """What its model gave in memory."""


def trained(name: str, model: Stored | None, seed: int, folder: Path) -> Trained:
    """Train beside weights that are held so, and a control that does not learn.

    Raises:
        AssertionError: another quantizer held them, or the loss on the training rows did not fall.
    """
    write_rows(folder, seed)
    losses = {}
    for kind, changes in {"frozen": FROZEN, "trained": {}}.items():
        contents = contents_of(
            name, model, folder,
            training={**TRAINING, "seed": seed, **changes},
            validation={"path": str(folder / "held-out.jsonl")},
            output=str(folder / kind),
        )  # fmt: skip
        run, logits = _train(contents)
        losses[kind] = _losses(run, "validation")[-1]
    assert read_tree(run.run_file).at(("quantizer", "name")).value == CASES[name].quantizer
    seen = _losses(run, "training")
    assert sum(seen[-5:]) / 5 < seen[0] - CASES[name].margin, seen
    return Trained(**losses, run=run, logits=logits)


def write_rows(folder: Path, seed: int) -> None:
    """Write sums: 44 rows to learn, and 8 that are held out, in an order of the seed's."""
    rows = [
        {"instruction": f"What is {n} plus {n}?", "output": f"It is {2 * n}."} for n in range(52)
    ]
    random.Random(seed).shuffle(rows)
    for name, part in {"rows": rows[8:], "held-out": rows[:8]}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))


def _train(contents: dict[str, Any]) -> tuple[RunFolder, torch.Tensor]:
    """Return a run, and the logits that its model gave in memory."""
    logits = []
    original = saving.save_model

    def watching(opened: Any, folder: Path, card: str) -> None:
        logits.append(logits_of(opened.model))
        original(opened, folder, card)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "save_model", watching)
        run = train(contents)
    return run, logits[-1]


def _losses(run: RunFolder, kind: str) -> list[float]:
    rows = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    return [row["loss"] for row in rows if ("validation" in row) == (kind == "validation")]


def logits_of(model: nn.Module) -> torch.Tensor:
    """Return a model's logits of some tokens, of shape (1, T, V)."""
    if "numba" in sys.modules:  # the sums of aqlm's own kernel are right in one thread alone
        sys.modules["numba"].set_num_threads(1)
    with torch.no_grad():
        return model.eval()(torch.arange(10, 40)[None]).logits.float()


def reloaded(seen: Trained) -> float:
    """Return the most that a logit of a run's model differs when it is opened again."""
    return (logits_of(load(seen.run.path).model) - seen.logits).abs().max().item()


def merged(seen: Trained, model: Stored | None, folder: Path) -> float:
    """Return the most that a logit differs once the adapter is merged into whole weights."""
    if model is None or model.base is None:
        return merge(seen.run.path, folder).difference
    with pytest.raises(BadModel, match="--base WHOLE_MODEL"):
        merge(seen.run.path, folder)
    return merge(seen.run.path, folder, base=model.base).difference


def refusal(name: str, model: Stored | None, folder: Path, tuner: str) -> str:
    """Return what `check` says to a tuner that trains the model's own weights."""
    write_rows(folder, 1)
    with pytest.raises(BadRunFile) as fault:
        check(contents_of(name, model, folder, tuner=tuner))
    return str(fault.value)


def bits_of(name: str, model: Stored | None) -> tuple[float, float]:
    """Return the bits of a weight in the layers of the blocks, held and expected."""
    case = CASES[name]
    changes = ["template=chatml"]
    if model is None:
        changes.append(f"quantizer={json.dumps({'name': case.quantizer, **case.options})}")
    opened = load(str(model.path if model else "tiny"), changes).model
    layers = [one for part, one in opened.named_modules() if part.endswith("_proj")]
    shapes = [(one.in_features, one.out_features) for one in layers]
    weights = sum(inputs * outputs for inputs, outputs in shapes)
    expected = sum(case.bits(*shape) for shape in shapes)
    return 8 * bytes_of(layers) / weights, expected / weights


def bytes_of(modules: list[nn.Module]) -> int:
    """Return the bytes of all tensors that modules reach, one that is shared once."""
    storages: dict[int, int] = {}
    seen: set[int] = set()
    waiting: list[Any] = list(modules)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type):
            continue
        seen.add(id(one))
        if hasattr(one, "__tensor_flatten__"):
            waiting += [getattr(one, part) for part in one.__tensor_flatten__()[0]]
        elif isinstance(one, torch.Tensor):
            storage = one.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list | tuple | set):
            waiting += one
        else:
            waiting += getattr(one, "__dict__", {}).values()
    return sum(storages.values())
